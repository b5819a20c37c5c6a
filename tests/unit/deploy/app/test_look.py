"""Commands that look at a node with SSH=off read its status page, and believe no other."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from certs.errors import CertError
from deploy.app.audit import audit
from deploy.app.operator import operator_key
from deploy.app.proxy import proxy_of
from deploy.app.releases import releases
from deploy.app.status import status
from deploy.bundle.collected import node_collected
from deploy.errors import DeployError
from deploy.inventory.status import cert_status
from deploy.page import fetch
from deploy.project import Project
from deploy.pull.status import pull
from tests.unit.deploy.examples import AUTHORITY_PASSWORD, DESIRED, manifest, settings, state
from tests.unit.deploy.page.pages import AT, answering, give_keys, holder, packed, serving
from tests.unit.deploy.pull.test_status import LOOK

pytestmark = pytest.mark.loopback
HOSTILE = "\x1b]52;c;eA==\x07\u202e"
SERVING = manifest(DESIRED, release="r1")
ANSWERS = {
    "probe shop-www": state(manifest=SERVING).model_dump_json(),
    "workers shop-www": "null\n",
    "probe corefab-proxy": state(manifest=None, slot="", active="failed").model_dump_json(),
    "workers corefab-proxy": "null\n",
    "releases shop-www": json.dumps([
        {"manifest": SERVING.model_dump(mode="json"), "serves": True, "failed": False,
         "bytes": 5, "image_bytes": 7},
    ]),
    "pull-status shop-www": json.dumps(LOOK),
    "collected": f"# df -h\n{HOSTILE}\n",
    "audit-lines - 40": json.dumps({
        "at": "2030-06-15T12:00:00+00:00", "app": "shop-www", "what": "pull", "who": HOSTILE,
        "detail": HOSTILE,
    }) + "\n",
    "holdings shop-www": json.dumps({
        "clock": AT - 500, "release": "", "inside": "", "manifest": None, "host_keys": [],
        "host_keys_changing": "no", "access": [], "credentials": [], "compared": {},
    }),
}  # fmt: skip


@dataclass
class Node:
    """A node with SSH=off; what it serves can be changed."""

    body: bytes = b""

    def answer(self, connection: socket.socket) -> None:
        """Show it."""
        answering("200 OK", self.body)(connection)

    def tell(self, by: str = "node", to: str = "operator", **changes: object) -> None:
        """Serve a page."""
        page = packed(**{"answers": ANSWERS} | changes)
        self.body = holder(to).seal(holder(by).sign(page))


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    made = Node()
    made.tell()
    with serving(made.answer) as port:
        monkeypatch.setattr(fetch, "_PORT", port)
        monkeypatch.setattr(time, "time", lambda: AT + 60)
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = settings(
        NODE_ADDRESS="127.0.0.1",
        SSH="off",
        SSH_KEYS="none-*.pub",
        TLS="none",
        AUTHORITY_PASSWORD=AUTHORITY_PASSWORD,
    )
    made = Project(tmp_path, found)
    give_keys(made)
    return made


def test_the_same_output_comes_from_the_page(
    node: Node, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert releases(project, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["releases"][0]["release"] == "r1"
    assert pull(project, now=False, as_json=False) == 0
    assert "shop-www: same" in capsys.readouterr().out
    assert cert_status((project,), as_json=True, prometheus=False) == 0
    capsys.readouterr()
    # Nothing serves the app here.
    assert status(project, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["release"], found["memory_available_bytes"]) == ("r1", 2 * 10**9)
    assert found["page_made"] == "2030-06-15T12:00:00+00:00"


def test_the_state_of_the_proxy_comes_from_the_page(
    node: Node, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(proxy_of(project), as_json=True, through=project) == 1

    found = json.loads(capsys.readouterr().out)
    assert (found["app"], found["health"]) == ("corefab-proxy", "nothing deployed")
    assert found["unit"].startswith("corefab-proxy-blue.service failed")


def test_hostile_text_of_a_page_is_shown_as_escapes(
    node: Node, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    node.tell(failed_units=[HOSTILE])

    assert audit(project, lines=5, every=False, as_json=False) == 0
    status(project, as_json=False)
    assert node_collected(project) == 0

    said = capsys.readouterr().out
    assert "# df -h" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert said.count(r"\x1b]52;c;eA==\x07\u202e") >= 4


def test_a_page_older_than_two_periods_is_shown_and_is_an_alarm(
    node: Node, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    node.tell(at=AT - 3600)

    assert releases(project, as_json=False) == 1
    assert audit(project, lines=5, every=True, as_json=False) == 1
    assert pull(project, now=False, as_json=False) == 1
    assert node_collected(project) == 1
    assert cert_status((project,), as_json=False, prometheus=False) == 2

    assert "its status page is 61 minutes old" in capsys.readouterr().err


def test_a_page_of_another_node_is_refused(node: Node, project: Project) -> None:
    node.tell(by="stranger")

    with pytest.raises(DeployError, match="not signed by the key that is pinned"):
        releases(project, as_json=False)


def test_an_altered_page_is_refused(node: Node, project: Project) -> None:
    body = bytearray(node.body)
    body[-40] ^= 1
    node.body = bytes(body)

    with pytest.raises((CertError, DeployError), match=r"does not open|is not signed"):
        releases(project, as_json=False)


@pytest.mark.parametrize("body", [b"", b"\x30\x80", b"x" * 1000])
def test_what_is_no_page_is_refused(node: Node, project: Project, body: bytes) -> None:
    node.body = body

    with pytest.raises(CertError, match="does not open with this key"):
        releases(project, as_json=False)


def test_another_operators_key_opens_nothing(node: Node, project: Project) -> None:
    give_keys(project, operator="another")

    with pytest.raises(CertError, match="does not open with this key"):
        releases(project, as_json=False)


def test_what_is_missing_here_is_named_with_the_command_that_makes_it(
    node: Node, project: Project
) -> None:
    project.operator.unlink()
    with pytest.raises(DeployError, match="no operator's key here") as refused:
        releases(project, as_json=False)
    assert "fab operator-key" in refused.value.hint

    project.node_certificate.unlink()
    with pytest.raises(DeployError, match="is not pinned here") as refused:
        releases(project, as_json=False)
    assert "fab enrol" in refused.value.hint


def test_the_operators_key_is_made_once_beside_those_of_colleagues(tmp_path: Path) -> None:
    project = Project(tmp_path, settings(AUTHORITY_PASSWORD=AUTHORITY_PASSWORD))
    project.operator.parent.mkdir()
    project.operator.write_bytes(holder("colleague").pem)

    operator_key(project)
    first = project.operator.read_bytes()
    operator_key(project)

    assert project.operator.read_bytes() == first
    assert first.startswith(holder("colleague").pem)
    assert first.count(b"BEGIN CERTIFICATE") == 2
