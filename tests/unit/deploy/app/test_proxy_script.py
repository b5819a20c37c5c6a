"""What the proxy has loaded is known, whatever cuts a reload off; a route is made whole or not."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deploy.node.script import scripts
from deploy.project import TEMPLATES

pytestmark = pytest.mark.program
ROUTE = "# The route.\n# names: {}\nshop {{\n\treverse_proxy {{file.shop.upstream}} {{\n"
# Paths of the node, not those below a release.
_OF_NODE = re.compile(r"(?<=[ \"=>])/(run|etc|var/lib)/(corefab|\$app|\*)")
# Both slots run, as during an update of the proxy. Each reload is noted, and ends as `mood` says.
PODMAN = """#!/usr/bin/bash
names=$(sed -n 's/^# names: //p' {root}/run/corefab/proxy/routes/*.caddy)
echo "$2 $names" >>{root}/loads
case $(cat {root}/mood 2>/dev/null) in
  refuse-green) [ "$2" != corefab-proxy-green ] || {{ echo Error: no; exit 1; }} ;;
  kill) kill -9 "$(cat {root}/pid)" ;;
esac
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Lay out a node's folders, an app that serves, and programs that do nothing."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("systemctl", "nft", "sleep"):
        (bin_ / name).write_text("#!/bin/sh\n")
    (bin_ / "podman").write_text(PODMAN.format(root=tmp_path))
    for program in bin_.iterdir():
        program.chmod(0o755)
    for folder in (
        "run/corefab",
        "etc/corefab/routes",
        "etc/corefab/proxy",
        "var/lib/shop/current",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/lib/shop/current/manifest.json").touch()
    (tmp_path / "etc/corefab/proxy/corefab-proxy.caddy").write_text("import routes\n")
    text = (
        (TEMPLATES / "app/proxy.sh").read_text(encoding="utf-8").replace("@APP@", "corefab-proxy")
    )
    (tmp_path / "proxy.sh").write_text(_OF_NODE.sub(rf"{tmp_path}\g<0>", text))
    route(tmp_path, "old.example")
    return tmp_path


def route(node: Path, name: str) -> None:
    """Install the app's route."""
    (node / "etc/corefab/routes/shop.caddy").write_text(ROUTE.format(name))


def run(node: Path, program: Callable[[str], str], words: Sequence[str]) -> int:
    """Run proxy.sh; give its exit code."""
    started = f'echo $$ >{node}/pid; PATH={node}/bin:$PATH; exec bash {node}/proxy.sh "$@"'
    command = [program("bash"), "-c", started, "x", *words]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode


def loads(node: Path) -> list[str]:
    """List which container loaded which names since the last look."""
    log = node / "loads"
    found = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line.removeprefix("corefab-proxy-") for line in found]


def test_a_reload_without_a_change_loads_nothing(node: Path, program: Callable[[str], str]) -> None:
    assert run(node, program, ["reload"]) == 0
    assert loads(node) == ["blue old.example", "green old.example"]

    assert run(node, program, ["reload"]) == 0

    assert loads(node) == []


@pytest.mark.parametrize("mood", ["refuse-green", "kill"])
def test_a_route_that_is_undone_is_loaded_again_where_its_reload_was_cut_off(
    node: Path, program: Callable[[str], str], mood: str
) -> None:
    """A proxy may have the route of the release that is undone, though its files are gone."""
    run(node, program, ["reload"])
    loads(node)
    route(node, "new.example")
    (node / "mood").write_text(mood)
    assert run(node, program, ["reload"]) != 0
    assert "blue new.example" in loads(node)
    (node / "mood").unlink()

    route(node, "old.example")
    assert run(node, program, ["reload"]) == 0

    assert loads(node) == ["blue old.example", "green old.example"]


def test_what_a_check_that_was_killed_left_is_removed(
    node: Path, program: Callable[[str], str]
) -> None:
    left = node / "run/corefab/proxy/trial.shop/certs"
    left.mkdir(parents=True)
    (left / "shop.key").write_text("a key")

    assert run(node, program, ["await-reload"]) == 0

    assert not left.parent.exists()


def test_a_route_whose_root_certificate_cannot_be_copied_is_left_out(
    node: Path, program: Callable[[str], str]
) -> None:
    """With it, Caddy would refuse the routes of all apps."""
    root = node / "var/lib/shop/current/root/etc/corefab/routes/shop.pem"
    root.mkdir(parents=True)

    assert run(node, program, ["prepare"]) == 0

    assert not (node / "run/corefab/proxy/routes/shop.caddy").exists()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("state", ["on", "off"])
@pytest.mark.parametrize("loads", [True, False])
def test_a_maintenance_page_stays_as_it_was_where_the_proxy_cannot_load_it(
    tmp_path: Path, program: Callable[[str], str], state: str, *, before: bool, loads: bool
) -> None:
    mark = tmp_path / "maintenance"
    if before:
        mark.touch()
    reload = "bash /etc/corefab/proxy/proxy.sh reload"
    text = scripts()["maintenance"].read_text(encoding="utf-8")
    assert reload in text
    library = f"one_at_a_time() {{ :; }}; behind_proxy() {{ :; }}; home_of() {{ echo {tmp_path}; }}"
    run = f"{library}; audit() {{ :; }}\n{text.replace(reload, 'true' if loads else 'false')}"
    words = [program("bash"), "-euc", run, "x", "shop", state, "{}"]

    done = subprocess.run(words, check=False)

    assert done.returncode == (0 if loads else 1)
    assert mark.exists() == (state == "on" if loads else before)
