"""The proxy as an app: its settings come from those of an app behind it."""

import json
from pathlib import Path

import pytest

from deploy.app.proxy import fetch_image, proxy_of
from deploy.project import Project
from deploy.spec.render import app_files, render
from tests.unit.deploy.examples import settings

PINNED = f"registry.example/caddy@sha256:{'a' * 64}"


def proxied(folder: Path, **values: object) -> Project:
    own = {"TLS": "proxy", "NODE_ADDRESS": "192.0.2.1", "NODE_PORT": "2222"}
    return Project(folder, settings(**own | values))


def test_the_proxy_is_one_app_for_all_of_a_node(tmp_path: Path) -> None:
    one = proxy_of(proxied(tmp_path)).settings
    other = proxy_of(proxied(tmp_path, PROJECT="bakery", NAME="blog", MEMORY_LIMIT="1G")).settings

    assert one == other
    assert (one.app, one.node_address, one.node_port) == ("corefab-proxy", "192.0.2.1", 2222)
    assert not one.sources


def test_its_unit_runs_caddy_without_rights_and_its_door_has_both_ports(tmp_path: Path) -> None:
    files = {
        file.path: file.content.decode() for file in app_files(render(proxy_of(proxied(tmp_path))))
    }

    unit = files["/etc/containers/systemd/corefab-proxy-blue.container"]
    assert "\nExec=caddy run " in unit
    assert "\nDropCapability=all\n" in unit
    assert "\nAddCapability=NET_BIND_SERVICE\n" in unit
    assert "\nVolume=/run/corefab/proxy:/run/proxy:ro,z,rslave\n" in unit
    door = files["/etc/corefab/doors/corefab-proxy/blue.nft"]
    assert "slot4 { 443 : " in door
    assert "slot4 { 80 : " in door
    assert "udp dport 443 dnat ip to" in files["/etc/corefab/doors/corefab-proxy/table.nft"]
    assert "udp_ports { 443 }" in files["/etc/corefab/firewall.d/corefab-proxy.nft"]
    assert "/etc/corefab/proxy/proxy.sh" in files
    assert not [path for path in files if "/routes/" in path]


def test_an_app_behind_it_has_none_of_its_files(tmp_path: Path) -> None:
    files = {file.path: file.content.decode() for file in app_files(render(proxied(tmp_path)))}

    assert "/etc/corefab/routes/shop-www.caddy" in files
    assert not [path for path in files if path.startswith("/etc/corefab/proxy")]
    unit = files["/etc/containers/systemd/shop-www-blue.container"]
    assert "\nEnvironment=PORT=8080\n" in unit
    assert "HTTPS_PORT" not in unit
    assert "/etc/tls" not in unit


def test_an_image_in_a_file_is_not_fetched(tmp_path: Path) -> None:
    fetch_image(Project(tmp_path, settings(IMAGE="oci:proxy")), "linux/amd64")


@pytest.mark.program
@pytest.mark.parametrize(
    ("name", "here", "pulled"),
    [
        (PINNED, "", True),
        (PINNED, "amd64", True),
        (PINNED, "arm64", False),
        ("registry.example/caddy:mine", "", True),
        ("registry.example/caddy:mine", "amd64", False),
    ],
)
def test_a_pinned_image_is_pulled_for_the_nodes_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, here: str, *, pulled: bool
) -> None:
    """What has no digest may be the operator's own, and is left to them."""
    shown = {"Id": "1" * 64, "Size": 1, "RootFS": {"Layers": []}, "Os": "linux"}
    (tmp_path / "image.json").write_text(json.dumps([{**shown, "Architecture": here}]))
    words = tmp_path / "words"
    (tmp_path / "podman").write_text(
        f"#!/bin/sh\ncase $1 in pull) echo $* >{words} ;; *) "
        f"{f'cat {tmp_path}/image.json' if here else 'exit 125'} ;; esac\n"
    )
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    fetch_image(Project(tmp_path, settings(IMAGE=name)), "linux/arm64")

    wanted = f"pull --quiet --platform linux/arm64 {name}\n" if pulled else ""
    assert (words.read_text() if words.exists() else "") == wanted


def test_the_image_is_the_settings(tmp_path: Path) -> None:
    found = proxy_of(proxied(tmp_path, PROXY_IMAGE="localhost/caddy:mine")).settings

    assert found.image == "localhost/caddy:mine"


def test_the_proxy_of_an_app_that_follows_a_tag_is_pulled_as_well(tmp_path: Path) -> None:
    pull = {"PULL": "registry.example.org/shop/www:live", "PULL_EVERY": "daily", "PULL_DELAY": "1h"}
    own = {**pull, "PULL_ROOT": "root.pem", "PULL_LOGIN": "ann:x"}
    tag = "registry.example.org/shop/caddy:live"

    pinned = proxy_of(proxied(tmp_path, **own)).settings
    followed = proxy_of(proxied(tmp_path, **own, PROXY_IMAGE=tag)).settings

    assert (pinned.pull, pinned.pull_every, pinned.born) == (pinned.image, "daily", True)
    # The login and the root of PULL's registry are not for another one, nor is there any delay.
    assert (pinned.pull_root, pinned.pull_login, pinned.pull_delay) == (None, None, 0)
    assert (followed.pull, followed.pull_root, followed.pull_delay) == (tag, Path("root.pem"), 3600)
    assert [one.credential for one in followed.sources] == ["pull_login"]
