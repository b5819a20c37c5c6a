"""Plain HTTP apps behind the node's proxy: their names, certificates and switches."""

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator

import bcrypt
import pytest

from deploy.settings.model import PROXY_BUILT
from rehearsal import lifecycle
from tests.images import remove_images
from tests.root import ROOT
from tests.system import visited
from tests.system.conftest import booted
from tests.system.outside import until
from tests.system.page import get
from tests.system.project import Project, write_settings
from tests.system.proxied import (
    ask,
    authority,
    ca,
    connected,
    http3,
    moved,
    page,
    said,
    websocket,
)
from tests.system.visitors import visiting
from tests.unit.certs.pebble import REFUSED, Pebble, running

pytestmark = pytest.mark.node
NAME, STAGING = "shop.example.org", "staging.example.org"
WWW = "www.shop.example.org"
PAGE = ROOT / "docs/proxy.md"
STATIC = {"robots.txt": "User-agent: *", ".well-known/security.txt": "Contact: mailto:a@b"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Deploy two apps of plain HTTP, `www` and `staging`, on a node of their own."""
    with booted(tmp_path_factory.mktemp("site"), f"proxy{os.getpid()}") as made:
        image = f"localhost/corefab-visited{os.getpid()}:latest"
        name = ["-subj", "/CN=self", "-addext", "subjectAltName=DNS:self"]
        made_pair = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name]
        made_pair += ["-keyout", "self.key", "-out", "self.crt"]
        subprocess.run(made_pair, cwd=made.folder, check=True, capture_output=True)
        (made.folder / "self.key").chmod(0o644)
        base = made.settings["IMAGE"]
        visited.build(image, made.folder, base, "COPY self.crt self.key /")
        own = {
            "IMAGE": image,
            "TLS": "proxy",
            "CERT_NAMES": NAME,
            "REDIRECT_NAMES": WWW,
            "NOTIFY": "false",
            "WATCHDOG_SECONDS": "0",
            "HEALTH_PATH": "/",
            "ENV_GREETING": "first",
            "ENV_BIND": "0.0.0.0",  # noqa: S104 -- in the container
            "ENV_LISTEN": "",
            "ENV_SPEAKS": "http",
            "ENV_MODE": "",
            "CONTAINER_COMMAND": "",
            "PROJECT_FILES": "",
        }
        example = (made.folder / ".env").read_text()
        write_settings(made.folder / ".env", example, own)
        made.settings.update(own)
        staging = {"NAME": "staging", "CERT_NAMES": STAGING, "REDIRECT_NAMES": ""}
        write_settings(made.folder / ".env.staging", "", staging)
        for words in (["cert-issue"], ["cert-issue", "--name", "staging"]):
            made.must(*words)
        made.must("deploy", "--first")
        made.must("deploy", "--first", "--name", "staging")
        yield made
        remove_images(image)


@pytest.fixture
def serving(site: Project) -> Iterator[Project]:
    """Hold a test to leaving both apps serving, with nothing to do."""
    yield site
    for words, name in (([], NAME), (["--name", "staging"], STAGING)):
        assert page(site, name)[0] == 200
        assert "nothing to do" in site.must("deploy", *words)
    assert "nothing to do" in site.must("proxy-deploy")


def test_two_apps_answer_at_one_port_each_by_its_name(serving: Project) -> None:
    assert page(serving, NAME) == (200, "first")
    assert page(serving, STAGING) == (200, "first")
    routes = json.loads(serving.must("proxy-routes", "--json"))["routes"]
    assert [(one["names"], one["slot"]) for one in routes] == [
        (STAGING, routes[0]["slot"]),
        (f"{NAME} {WWW}", routes[1]["slot"]),
    ]
    assert f'"host":"{STAGING}"' in serving.must("proxy-logs")


def test_plain_http_and_other_names_are_led_to_the_first_name(serving: Project) -> None:
    assert moved(serving, NAME, 80, "/a?b=c") == (308, f"https://{NAME}/a?b=c")
    assert moved(serving, WWW, 80, "/a") == (308, f"https://{NAME}/a")
    assert moved(serving, WWW, 443, "/a?b=c") == (308, f"https://{NAME}/a?b=c")
    assert moved(serving, "stranger.example.org", 80, "/")[0] == 404


def test_the_app_learns_the_visitors_address_and_believes_no_forged_one(serving: Project) -> None:
    seen = ask(serving, NAME, "/headers", X_Forwarded_For="203.0.113.9")[2]

    assert "X-Forwarded-Proto: https" in seen
    assert f"Host: {NAME}" in seen
    assert "203.0.113.9" not in seen
    node = serving.node.address
    with connected(serving, NAME) as connection:
        assert f"X-Forwarded-For: {connection.sock.getsockname()[0]}" in seen
    assert f"X-Forwarded-For: {node}" not in seen


def test_a_deploy_fails_no_request_and_leaves_the_other_apps_connections_alone(
    serving: Project,
) -> None:
    with (
        websocket(serving, STAGING) as other,
        websocket(serving, NAME) as own,
        visiting(serving.node.address, NAME, ca(serving)) as visits,
    ):
        assert said(other, "1") == "first 1"
        serving.must("deploy", ENV_GREETING="second", DRAIN_SECONDS="5")
        # What was open stays with the slot before for as long as that drains.
        assert said(own, "2") in {"", "first 2"}
        assert page(serving, NAME) == (200, "second")
        assert said(other, "3") == "first 3"
        serving.must("deploy")
        assert said(other, "4") == "first 4"
    assert visits.failures == []
    assert visits.answers > 20


def test_an_update_of_the_proxy_fails_no_request(serving: Project) -> None:
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        serving.must("proxy-deploy", "--force")
        serving.must("proxy-rollback")
    assert visits.failures == []


@pytest.mark.slow
def test_the_proxy_and_an_app_are_updated_at_once_and_no_request_fails(serving: Project) -> None:
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        proxy = serving.start("proxy-deploy", "--force")
        app = serving.start("deploy", ENV_GREETING="second")
        outputs = [one.communicate(timeout=240)[0] for one in (proxy, app)]
    assert [proxy.returncode, app.returncode] == [0, 0], outputs
    assert visits.failures == []
    assert page(serving, NAME) == (200, "second")
    serving.must("deploy")


@pytest.mark.slow
def test_drift_of_the_proxy_is_found_with_any_app_behind_it(serving: Project) -> None:
    unit = "/etc/containers/systemd/corefab-proxy-blue.container"
    assert "no drift" in serving.must("drift", "--name", "staging")
    serving.ssh(f"cp -p {unit} /root/kept; echo '# by hand' >>{unit}")

    found = json.loads(serving.fab("drift", "--json", "--name", "staging").out)["findings"]

    serving.ssh(f"mv /root/kept {unit}")
    assert [(one["subject"], one["remedy"]) for one in found] == [(unit, "fab proxy-deploy")]


@pytest.mark.slow
def test_a_request_under_way_finishes_in_the_old_slot(serving: Project) -> None:
    with connected(serving, NAME) as connection:
        connection.request("GET", "/slow?6")
        serving.must("deploy", ENV_GREETING="second", DRAIN_SECONDS="20")
        assert connection.getresponse().read() == b"first"
    serving.must("deploy")


@pytest.mark.slow
def test_a_release_that_may_not_run_twice_keeps_visitors_waiting(serving: Project) -> None:
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        serving.must("deploy", SWITCH="restart", ENV_GREETING="second")
        assert page(serving, NAME) == (200, "second")
        serving.must("deploy")
    assert visits.failures == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ENV_BIND": "127.0.0.1"}, "it listens at 127.0.0.1:8080 alone"),
        (
            {"ENV_LISTEN": "9000"},
            "it listens at 0.0.0.0:9000, not at port 8080: set CONTAINER_PORT",
        ),
        ({"ENV_SPEAKS": "tls"}, "it speaks TLS at port 8080, where plain HTTP is expected"),
        (
            {"TLS": "app", "HTTPS_PORT": "8443", "REDIRECT_NAMES": "", "HTTP_PORT": "8081"},
            "it speaks plain HTTP at port 8443, where TLS is expected: set TLS=proxy",
        ),
        ({"ENV_SPEAKS": "nothing"}, "nothing listens in the container"),
    ],
)
def test_a_release_that_does_not_answer_is_undone_with_the_reason(
    serving: Project, settings: dict[str, str], why: str
) -> None:
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        failed = serving.fab("deploy", HEALTH_TIMEOUT_SECONDS="3", **settings)

    assert failed.code == 1
    assert why in failed.out
    assert "serves again, proven over HTTPS" in failed.out
    assert visits.failures == []


def test_a_name_of_another_app_is_refused_before_anything_is_sent(serving: Project) -> None:
    failed = serving.fab("deploy", CERT_NAMES=f"{STAGING}, {NAME}", CERT_FROM="node")

    project = serving.settings["PROJECT"]
    assert failed.code == 1
    assert f"{STAGING} is a name of {project}-staging and of {project}-www" in failed.out
    assert "started" not in failed.out


@pytest.mark.slow
def test_directives_of_the_operator_are_checked_and_served(serving: Project) -> None:
    own = serving.folder / "proxy" / f"{serving.settings['PROJECT']}-www.caddy"
    icon = own.parent / "static/img/icon.svg"
    icon.parent.mkdir(parents=True)
    icon.write_text("<svg/>")
    icon.with_name("photo.png").write_bytes(b"\x89PNG\xff\x00")
    at = f"/run/proxy/pages/{serving.settings['PROJECT']}-www/static"
    statics = f"handle /img/* {{\n\troot {at}\n\tfile_server\n}}\n"
    own.write_text(f'header X-Own "mine"\nredir /old /new 302\n{statics}')
    serving.must("deploy")
    assert moved(serving, NAME, 443, "/old") == (302, "/new")
    assert ask(serving, NAME, "/")[1]["X-Own"] == "mine"
    assert ask(serving, NAME, "/img/icon.svg")[1]["Content-Type"] == "image/svg+xml"
    assert ask(serving, NAME, "/img/none.svg")[0] == 404
    shutil.rmtree(own.parent / "static")

    own.write_text('header X-Own "mine"\nno_such_directive\n')
    failed = serving.fab("deploy")

    assert failed.code == 1
    assert "Caddy refuses the route" in failed.out
    assert "no_such_directive" in failed.out
    assert f"proxy/{own.name}:2" in failed.out
    own.unlink()
    serving.must("deploy")
    assert moved(serving, NAME, 443, "/old")[0] != 302


@pytest.fixture
def documented(serving: Project) -> Iterator[Project]:
    """Have the app's route as the documentation's examples are, behind the visitor as a CDN."""
    folder = serving.folder / "proxy"
    for name, text in STATIC.items():
        (folder / "static" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "static" / name).write_text(text)
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    lines = "".join(one for one in blocks if "basic_auth" in one or "@static" in one)
    hashed = "caddy hash-password -p cake"
    slots = [f"podman exec corefab-proxy-{slot} {hashed}" for slot in ("blue", "green")]
    project = serving.settings["PROJECT"]
    for old, new in {
        "shop-api": "shop-staging",
        "shop-": f"{project}-",
        "$2a$14$…": serving.ssh(" 2>/dev/null || ".join(slots)).strip(),
    }.items():
        assert old in lines
        lines = lines.replace(old, new)
    with connected(serving, NAME) as connection:
        visitor = connection.sock.getsockname()[0]
    (folder / f"{project}-www.caddy").write_text(lines)
    try:
        serving.must("deploy", ENV_GREETING="second", TRUSTED_PROXIES=visitor, ACCESS_LOG="false")
        yield serving
    finally:
        shutil.rmtree(folder)
    serving.must("deploy")


@pytest.mark.slow
def test_the_examples_of_the_documentation_are_served(documented: Project) -> None:
    login = f"Basic {base64.b64encode(b'ann:cake').decode()}"

    fields = ask(documented, NAME, "/")[1]
    assert fields["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in fields["Strict-Transport-Security"]
    assert page(documented, NAME, "/admin/x")[0] == 401
    assert ask(documented, NAME, "/admin/x", Authorization=login)[::2] == (200, "second")
    assert moved(documented, NAME, 443, "/old") == (301, "/new")
    assert page(documented, NAME, "/api/x") == (200, "first")
    for name, text in STATIC.items():
        assert page(documented, NAME, f"/{name}") == (200, text)
    for way in ("zstd", "gzip"):
        with connected(documented, NAME) as connection:
            connection.request("GET", "/download?500", headers={"Accept-Encoding": way})
            response = connection.getresponse()
            assert response.headers["Content-Encoding"] == way
            assert len(response.read()) < 500
    seen = ask(documented, NAME, "/headers", X_Forwarded_For="203.0.113.9")[2]
    assert "X-Forwarded-For: 203.0.113.9, " in seen
    assert page(documented, NAME, "/quiet")[0] == page(documented, STAGING, "/loud")[0] == 200
    logged = documented.must("proxy-logs", "--lines", "500")
    assert "/loud" in logged
    assert "/quiet" not in logged


@pytest.mark.slow
def test_an_error_page_of_the_operators_is_shown_for_an_app_that_is_down(serving: Project) -> None:
    errors = serving.folder / "proxy/errors"
    errors.mkdir(parents=True)
    (errors / "502.html").write_text("<h1>back soon</h1>")
    serving.must("deploy")
    serving.ssh(f"podman pause {serving.container()}; systemctl stop {serving.container()}")

    status, text = page(serving, NAME)

    assert (status, text) == (502, "<h1>back soon</h1>")
    assert page(serving, STAGING) == (200, "first")
    (errors / "502.html").unlink()
    serving.must("deploy")
    assert page(serving, NAME, "/missing") == (404, "the app's own page")


@pytest.mark.slow
def test_maintenance_answers_503_but_for_the_health_path_and_outlives_a_reboot(
    serving: Project,
) -> None:
    serving.must("maintenance", "on")
    status, fields, _ = ask(serving, NAME, "/x")
    assert (status, fields["Retry-After"]) == (503, "120")
    assert page(serving, NAME, "/")[0] == 503
    serving.must("status")
    assert page(serving, STAGING, "/x") == (200, "first")
    serving.reboot()
    assert page(serving, NAME, "/x")[0] == 503

    serving.must("maintenance", "off")

    assert page(serving, NAME, "/x") == (200, "first")


@pytest.mark.slow
def test_a_certificate_of_ours_rotates_in_the_proxy_and_its_key_is_nowhere_on_the_disk(
    serving: Project,
) -> None:
    before = json.loads(serving.must("cert-status", "--json"))["places"]
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        serving.must("cert-rotate-https")
    after = json.loads(serving.must("cert-status", "--json"))["places"]

    assert visits.failures == []
    assert len({one["sha256"] for one in before + after}) == 2
    app = f"{serving.settings['PROJECT']}-www"
    key = serving.ssh(f"cat /run/corefab/proxy/certs/{app}.key | sed -n 2p").strip()
    found = serving.ssh(
        f"findmnt -no FSTYPE -T /run/corefab/proxy/certs; grep -rlF '{key}' /etc /var/lib || true"
    )
    assert found.split() == ["tmpfs"]


def test_pages_are_served_over_http2_and_http3(serving: Project) -> None:
    context = authority(serving)
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection((serving.node.address, 443), timeout=20)
    with context.wrap_socket(plain, server_hostname=NAME) as tls:
        assert tls.selected_alpn_protocol() == "h2"
    assert 'h3=":443"' in str(ask(serving, NAME, "/")[1]["Alt-Svc"])
    rules = serving.ssh("nft list table inet corefab; nft list table inet corefab-proxy-door")
    assert re.search(r"set udp_ports \{[^}]*443", rules)
    assert http3(serving.node.address, NAME, ca(serving)) == "first"


@pytest.fixture(scope="module")
def pebble(
    site: Project, tmp_path_factory: pytest.TempPathFactory, program: Callable[[str], str]
) -> Iterator[Pebble]:
    """An authority that the node reaches, and that visits the node for every name."""
    node = lifecycle.find(site.settings["PROJECT"])
    assert node
    moods = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "10"}
    address = node.address.rsplit(".", 1)
    gateway = f"{address[0]}.{int(address[1]) - 1}"
    folder = tmp_path_factory.mktemp("pebble")
    with running(folder, program, moods, visits=(node.address, 80), at=gateway) as found:
        yield found


@pytest.mark.slow
def test_the_proxy_gets_certificates_itself_and_new_ones_when_asked(
    serving: Project, pebble: Pebble
) -> None:
    settings = {
        "CERT_FROM": "node",
        "ACME_DIRECTORY": pebble.server.directory,
        "ACME_ROOT": str(pebble.server.trust),
        "CERT_PASSWORD": "",
    }

    serving.must("deploy", **settings)

    def shown() -> set[str]:
        said = json.loads(serving.must("cert-status", "--json", **settings))
        assert all("Pebble" in one["issuer"] for one in said["places"])
        return {one["sha256"] for one in said["places"]}

    first = shown()
    assert "nothing to do" in serving.must("cert-renew", **settings)
    assert "proven by handshake" in serving.must("cert-rotate-https", **settings)
    assert not first & shown()
    second = shown()
    # An authority that is gone: the proxy that serves stays, with its certificates.
    gone = settings | {"HEALTH_TIMEOUT_SECONDS": "5"}
    serving.ssh(
        "nft add table inet gone; nft add chain inet gone f "
        "'{ type filter hook forward priority -300; }'; "
        f"nft add rule inet gone f ip daddr {pebble.server.directory.split(':')[1][2:]} drop"
    )
    with serving.start("cert-rotate-https", **gone) as rotating:
        assert rotating.stdout is not None
        rotating.stdout.readline()
        beside = serving.fab("cert-rotate-https", **gone)
        rotating.stdout.read()
    serving.ssh("nft delete table inet gone")
    assert rotating.returncode == 1
    assert (beside.code, "is being changed by" in beside.out) == (1, True), beside.out
    assert shown() == second
    said = serving.must("deploy", **settings | {"CERT_NAMES": f"{NAME}, {REFUSED}"})
    assert f"{REFUSED} has no certificate yet" in said
    assert f"{NAME} has no certificate" not in said
    serving.must("deploy")


@pytest.mark.slow
def test_a_page_of_the_app_that_ends_tls_itself_is_beside_them(serving: Project) -> None:
    own = {
        "NAME": "own", "TLS": "app", "HTTPS_PORT": "8443", "HTTP_PORT": "", "CERT_NAMES": NAME,
        "IMAGE": f"localhost/corefab-{serving.settings['PROJECT']}:latest", "REDIRECT_NAMES": "",
        "HEALTH_PATH": "/health", "NOTIFY": "true",
    }  # fmt: skip
    write_settings(serving.folder / ".env.own", "", own)
    serving.must("cert-issue", "--name", "own")

    serving.must("deploy", "--first", "--name", "own")

    assert get(serving.node.address, 8443, NAME, ca(serving))[0] == 200
    assert page(serving, NAME) == (200, "first")
    (serving.folder / ".env.own").unlink()


@pytest.mark.slow
def test_a_port_of_another_app_is_refused_before_anything_is_sent(serving: Project) -> None:
    own = {"NAME": "taken", "TLS": "app", "REDIRECT_NAMES": ""}
    write_settings(serving.folder / ".env.taken", "", own)
    serving.must("cert-issue", "--name", "taken")

    failed = serving.fab("deploy", "--first", "--name", "taken")

    (serving.folder / ".env.taken").unlink()
    assert failed.code == 1
    assert "port 443 of this node is corefab-proxy's" in failed.out
    assert "started" not in failed.out


SOCKET = {"CONTAINER_PORT": "unix:/run/app/http.sock"}
H2C = """{
	admin off
	servers {
		protocols h1 h2c
	}
}
:8080 {
	respond {http.request.proto}
}
"""


@pytest.mark.slow
def test_the_proxy_reaches_an_app_by_its_unix_socket_and_nobody_else_does(
    serving: Project,
) -> None:
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        serving.must("deploy", ENV_GREETING="second", DRAIN_SECONDS="20", **SOCKET)
        unit = serving.container()
        at = f"/run/corefab/proxy/sockets/{unit}"
        rights = serving.ssh(f"stat -c '%a %U %G' {at}")
        stranger = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        entered = serving.ssh(f"if {stranger} ls {at}/http.sock; then echo entered; fi")
        found = page(serving, NAME)
        with websocket(serving, NAME) as own:
            # What is open by a socket counts as the slot drains.
            serving.must("deploy", ENV_GREETING="third", DRAIN_SECONDS="5", **SOCKET)
            assert said(own, "1") in {"", "second 1"}
        assert serving.container() != unit
        serving.must("rollback")
        assert page(serving, NAME) == (200, "second")
        serving.must("deploy")
    assert found == (200, "second")
    serving.must("deploy", ENV_GREETING="fourth", **SOCKET)
    at = f"/run/corefab/proxy/sockets/{serving.container()}"
    # An app that is taken over makes its socket a link, which the proxy finds in its own files.
    serving.ssh(f"ln -snf /run/caddy/admin.sock {at}/http.sock")
    linked = page(serving, NAME, "/config/")
    serving.must("deploy", "--force")
    assert linked[0] == 502
    assert rights.split() == ["2710", unit.rpartition("-")[0], "corefab-proxy"]
    assert entered == ""
    assert visits.failures == []


@pytest.mark.slow
def test_an_app_is_asked_by_http2_without_tls(serving: Project) -> None:
    files = serving.folder / "h2c"
    files.mkdir()
    (files / "Caddyfile").write_text(H2C)
    own = {
        "IMAGE": PROXY_BUILT,
        "CONTAINER_COMMAND": "/usr/bin/caddy run --config /srv/files/Caddyfile",
        "PROJECT_FILES": "h2c",
        "CONTAINER_PORT": "h2c:8080",
    }
    with visiting(serving.node.address, NAME, ca(serving)) as visits:
        serving.must("deploy", **own)
        assert page(serving, NAME) == (200, "HTTP/2.0")
        assert "nothing to do" in serving.must("deploy", **own)
        serving.must("rollback")
        assert page(serving, NAME) == (200, "first")
    assert visits.failures == []
    serving.must("deploy", SWITCH="restart", **own)
    assert page(serving, NAME) == (200, "HTTP/2.0")
    serving.must("deploy")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"CONTAINER_PORT": "h2c:8080"},
            "it speaks HTTP/1.1 at port 8080, where HTTP/2 without TLS is expected: set "
            "CONTAINER_PORT=8080",
        ),
        (
            SOCKET | {"ENV_LISTEN": "9000"},
            "there is no socket /run/app/http.sock in the container: have the app listen there; it "
            "listens at 0.0.0.0:9000",
        ),
        (
            SOCKET | {"ENV_MODE": "600"},
            "the proxy may not write to the socket /run/app/http.sock (srw-------",
        ),
    ],
)
def test_an_app_that_is_not_reached_in_the_way_expected_is_undone_with_the_reason(
    serving: Project, settings: dict[str, str], why: str
) -> None:
    failed = serving.fab("deploy", HEALTH_TIMEOUT_SECONDS="3", **settings)

    assert failed.code == 1
    assert why in failed.out


@pytest.mark.slow
def test_the_built_proxy_is_the_default_of_a_rehearsal(serving: Project) -> None:
    said = json.loads(serving.must("proxy-status", "--json"))

    assert PROXY_BUILT in said["image"]
    assert said["health"] == "healthy"


@pytest.mark.slow
def test_the_metrics_are_there_for_the_password_alone(serving: Project) -> None:
    password, path = secrets.token_hex(8), "/.well-known/metrics"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()
    chosen = {"METRICS": "on", "METRICS_PATH": path, "METRICS_PASSWORD_HASH": hashed}
    serving.must("converge", "--yes", **chosen)
    serving.must("deploy", **chosen)
    try:
        assert ask(serving, NAME, path)[0] == 401
        assert page(serving, STAGING, path)[1] == "first"
        serving.must("maintenance", "on")
        try:
            line = f'corefab_maintenance{{app="{serving.settings["PROJECT"]}-www"}} 1'
            until(lambda: line if line in told(serving, path, password) else "", line)
        finally:
            serving.must("maintenance", "off")
    finally:
        serving.must("converge", "--yes", METRICS="off")
        serving.must("deploy")
    assert ask(serving, NAME, path)[0] == 200


def told(project: Project, path: str, password: str) -> str:
    """Read the metrics as a program that watches the node does."""
    words = f'user = "metrics:{password}"\nresolve = "{NAME}:443:{project.node.address}"\n'
    done = subprocess.run(
        ["curl", "-sSf", "--cacert", ca(project), "-K", "-", f"https://{NAME}{path}"],
        input=words, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
