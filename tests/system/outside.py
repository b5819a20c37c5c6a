"""The world outside of rehearsal nodes: a registry, and an authority that visits a node.

`python -m tests.system.outside FOLDER NUMBER` is that world for `scripts/demo-pull`, until its
standard input ends. It prints where things are, a line `name=value` for each and an empty one, and
then an answer to each line that it reads.
"""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal import lifecycle, places
from rehearsal.node import NodeStatus
from tests.system import registry
from tests.system.registry import Registry
from tests.unit.certs import pebble
from tests.unit.certs.pebble import Pebble

PATIENCE_SECONDS = 180
_HTTP = 80
_MOODS = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}


@dataclass(frozen=True, slots=True)
class Outside:
    """A running registry and authority, at an address that every node reaches."""

    registry: Registry
    pebble: Pebble
    authority: Path

    def visit(self, address: str) -> None:
        """Have every name lead to this node, for the authority."""
        url = f"{self.pebble.dns_management}/set-default-ipv4"
        body = json.dumps({"ip": address}).encode()
        urllib.request.urlopen(url, body, timeout=5).close()  # noqa: S310


@contextmanager
def running(folder: Path, number: int) -> Iterator[Outside]:
    """Run both until the block ends, with all they have below a folder.

    The number keeps their addresses apart from those of other tests.
    """
    with reached(number) as at, registry.running(_made(folder / "registry"), "", at=at) as found:
        visits, home = (at, _HTTP), _made(folder / "pebble")
        with pebble.running(home, _program, _MOODS, visits=visits, at=at) as running_pebble:
            root = folder / "authority.crt"
            root.write_text(running_pebble.authority)
            yield Outside(found, running_pebble, root)


@contextmanager
def reached(number: int) -> Iterator[str]:
    """Give this machine an address that every node reaches through its gateway."""
    at = f"198.19.255.{number % 250 + 1}"
    subprocess.run(["ip", "address", "replace", f"{at}/32", "dev", "lo"], check=True)
    try:
        yield at
    finally:
        subprocess.run(["ip", "address", "delete", f"{at}/32", "dev", "lo"], check=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


def await_address(node: str) -> str:
    """Wait until a node has an address, which it has before it boots."""
    return until(lambda: next((one.address for one in _nodes(node) if one.address), ""), node)


def await_result(node: str, app: str, wanted: str) -> str:
    """Wait until an updater's last look has this result."""
    path = f"var/lib/corefab/pull/{app}/status.json"
    return until(lambda: wanted if read(node, path, "result") == wanted else "", f"{app} {wanted}")


def await_image(node: str, app: str, wanted: str) -> str:
    """Wait until an app serves a release of this image."""
    path = f"var/lib/{app}/current/manifest.json"
    return until(
        lambda: wanted if read(node, path, "image_id") == wanted else "", f"{app} {wanted}"
    )


def await_key(node: str) -> str:
    """Read the fingerprint of the machine's key, as its console shows it."""
    return until(lambda: _shown_key(node), f"the key of {node}")


def _shown_key(node: str) -> str:
    for one in _nodes(node):
        path = one.tree / "etc/issue.d/30-corefab.issue"
        return path.read_text().split()[-1] if path.exists() else ""
    return ""


def until(found: Callable[[], str], what: str) -> str:
    """Wait for an answer that is not empty."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := found()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.1)
    return answer


def _nodes(name: str) -> list[NodeStatus]:
    return [one for one in lifecycle.status() if one.name == name and one.state != "stopped"]


def read(node: str, path: str, key: str) -> str:
    """Read a value of a node's file: nobody logs in there."""
    file = places.folder(node).path / path
    try:
        return str(json.loads(file.read_text())[key])
    except (OSError, ValueError):
        return ""


def main() -> None:
    with running(Path(sys.argv[1]), int(sys.argv[2])) as outside:
        lines = {
            "registry": outside.registry.address,
            "registry_root": outside.registry.root,
            "acme": outside.pebble.server.directory,
            "acme_root": outside.pebble.server.trust,
            "authority": outside.authority,
            "acme_log": outside.pebble.log,
        }
        sys.stdout.write("".join(f"{key}={value}\n" for key, value in lines.items()) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(f"{_answer(outside, line.split())}\n")
            sys.stdout.flush()


def _answer(outside: Outside, words: list[str]) -> str:
    match words:
        case ["visit", node]:
            outside.visit(address := await_address(node))
            return address
        case ["key", node]:
            return await_key(node)
        case ["result", node, app, wanted]:
            return await_result(node, app, wanted)
        case ["image", node, app, wanted]:
            return await_image(node, app, wanted)
        case ["registry", word]:
            {"stop": outside.registry.stop, "start": outside.registry.start}[word]()
            return word
    raise ValueError(words)


if __name__ == "__main__":
    main()
