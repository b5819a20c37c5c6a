"""The route of an app in the node's proxy, as the template has it."""

import pytest

from deploy.spec.plan.route import RouteFiles
from deploy.spec.plan.values import template_values
from deploy.spec.render import Sources, render_sources
from tests.root import ROOT
from tests.unit.deploy.examples import settings

ACME = "https://acme.example.org/dir"
NONE = RouteFiles()


def rendered(own: RouteFiles = RouteFiles(), **values: object) -> Sources:  # noqa: B008 -- frozen
    made = settings(**{"TLS": "proxy"} | values)
    return render_sources(ROOT / "nowhere", template_values(made, route=own))


def route(own: RouteFiles = RouteFiles(), **values: object) -> str:  # noqa: B008
    return rendered(own, **values).templates["app/route.caddy"].decode()


def test_the_second_line_names_every_name_of_the_app() -> None:
    text = route(CERT_NAMES="shop.example.org, b.example.org", REDIRECT_NAMES="www.example.org")

    assert text.splitlines()[1] == "# names: shop.example.org b.example.org www.example.org"
    assert "\nshop.example.org, b.example.org {\n" in text
    assert "\nhttp://shop.example.org, http://b.example.org {\n" in text


def test_the_proxy_gets_certificates_from_the_authority_of_the_settings() -> None:
    text = route(ACME_DIRECTORY=ACME, ACME_EMAIL="ops@example.org", ACME_ROOT="root.pem")

    assert f"\t\t\tdir {ACME}\n\t\t\temail ops@example.org\n" in text
    assert "\t\t\ttrusted_roots /run/proxy/roots/shop-www.pem\n" in text


def test_the_key_of_an_external_account_comes_from_memory_and_reaches_no_file_or_container() -> (
    None
):
    made = rendered(ACME_KEY_ID="kid-1", ACME_HMAC_KEY="hunter2").templates

    text = made["app/route.caddy"].decode()
    assert "\t\t\timport /run/proxy/certs/shop-www.account kid-1\n" in text
    assert not any(b"hunter2" in content for content in made.values())
    assert b"acme_hmac_key" not in made["app/blue.container"]
    assert ".account" not in route(CERT_FROM="own", ACME_KEY_ID="k", ACME_HMAC_KEY="hunter2")


@pytest.mark.parametrize("source", ["own", "acme", "files"])
def test_a_certificate_of_ours_is_read_from_memory(source: str) -> None:
    text = route(CERT_FROM=source, ACME_TERMS_AGREED="true")

    assert "\ttls /run/proxy/certs/shop-www.crt /run/proxy/certs/shop-www.key\n" in text
    assert "issuer" not in text


def test_other_names_are_led_to_the_first_over_http_and_https() -> None:
    text = route(CERT_NAMES="shop.example.org", REDIRECT_NAMES="www.example.org, a.example.org")

    to = "\tredir https://shop.example.org{uri} 308\n"
    assert f"http://www.example.org, http://a.example.org {{\n{to}}}\n" in text
    assert text.count(to) == 2


def test_an_ipv6_address_is_a_site_in_brackets() -> None:
    text = route(CERT_NAMES="2001:db8::7", CERT_FROM="own")

    assert "\n[2001:db8::7] {\n" in text
    assert "\nhttp://[2001:db8::7] {\n" in text


def test_only_a_release_of_h2c_is_asked_by_http2_and_by_a_file_of_its_own() -> None:
    usual, h2c = route(CONTAINER_PORT="unix:/run/app/http.sock"), route(CONTAINER_PORT="h2c:9000")

    assert "\treverse_proxy {file.shop-www.upstream} {\n" in usual
    assert "versions" not in usual
    assert "\treverse_proxy {file.shop-www.h2c} {\n" in h2c
    assert "\t\t\tversions h2c\n" in h2c


def test_lines_of_the_operator_come_into_the_site() -> None:
    text = route(RouteFiles(directives=("header {", "\tX-Own @NOT_A_BLANK@", "}")))

    assert "\theader {\n\t\tX-Own @NOT_A_BLANK@\n\t}\n" in text


def test_a_setting_that_is_empty_takes_its_line_away() -> None:
    usual = route()
    other = route(ACCESS_LOG="false", TRUSTED_PROXIES="192.0.2.0/24 2001:db8::/32")

    assert "\tlog" in usual
    assert "trusted_proxies" not in usual
    assert "\tlog" not in other
    assert "trusted_proxies 192.0.2.0/24 2001:db8::/32\n" in other


def test_the_health_path_is_compared_without_its_query() -> None:
    found = route(HEALTH_PATH="/health?deep=1")

    assert "\t\tpath /health\n" in found
    assert "User-Agent" not in found


def test_at_the_home_page_only_corefab_itself_gets_past_maintenance() -> None:
    assert "\t\tpath /\n" in route(HEALTH_PATH="/")
    assert "\t\theader User-Agent corefab\n" in route(HEALTH_PATH="/")


def test_pages_and_the_authoritys_root_are_host_files_beside_the_route() -> None:
    own = RouteFiles(pages={"502.html": b"soon"}, acme_root=b"PEM")
    text = rendered(own).templates["app.bu"].decode()

    assert "- {path: /etc/corefab/routes/shop-www/502.html, mode: 0644, contents:" in text
    assert "path: /etc/corefab/routes/shop-www.pem, mode: 0644" in text


def test_on_a_data_partition_the_proxys_folder_is_hidden_from_the_app() -> None:
    masked = b"\nMask=/data/.corefab-proxy\n"

    assert masked in rendered(DATA_PARTITION="kept").templates["app/green.container"]
    assert masked not in rendered().templates["app/green.container"]


def test_an_app_that_ends_tls_itself_has_no_route_and_keeps_its_ports() -> None:
    text = rendered(TLS="app").templates["app.bu"].decode()
    door = rendered(TLS="app").templates["app/door/blue.nft"].decode()

    assert "/etc/corefab/routes" not in text
    assert "443 :" in door
    assert "443 :" not in rendered().templates["app/door/blue.nft"].decode()


def test_only_the_proxy_reaches_the_containers_port() -> None:
    table = rendered().templates["app/door/table.nft"].decode()

    accepted = [line for line in table.splitlines() if "tcp dport 8080 accept" in line]
    assert len(accepted) == 2
    assert all("saddr 10." in line or "saddr fdc7:" in line for line in accepted)
    assert "dport 8080 accept" not in rendered(TLS="app").templates["app/door/table.nft"].decode()


def test_metrics_are_served_at_a_path_to_who_may_have_them() -> None:
    hashed = "$2y$05$" + "a" * 53
    values = {"METRICS": "on", "METRICS_PATH": "/.well-known/metrics"}

    both = route(
        NONE, **values, METRICS_PASSWORD_HASH=hashed, METRICS_FROM="192.0.2.0/24, 2001:db8::1"
    )
    assert "\thandle /.well-known/metrics {\n\t\troute {\n" in both
    assert "\t\t\t@stranger not remote_ip 192.0.2.0/24 2001:db8::1/128\n" in both
    assert f"\t\t\tbasic_auth {{\n\t\t\t\tmetrics {hashed}\n\t\t\t}}\n" in both
    assert both.index("error @stranger 403") < both.index("basic_auth") < both.index("log_skip")
    # During maintenance, too.
    assert "\t\tnot path /.well-known/metrics\n" in both
    assert "basic_auth" not in route(NONE, **values, METRICS_FROM="192.0.2.1")
    assert "@stranger" not in route(NONE, **values, METRICS_PASSWORD_HASH=hashed)


def test_without_a_path_metrics_are_not_served() -> None:
    text = route(METRICS="on")

    assert "metrics" not in text
    assert "\t\tnot path" not in text
