"""The key of a node is pinned only after its fingerprint was compared."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.envelope import fingerprint, self_signed
from certs.errors import CertError
from certs.keyfile import new_key
from deploy.console import prompt
from deploy.errors import DeployError
from deploy.page import fetch
from deploy.page.enrol import enrol
from deploy.project import Project
from tests.unit.deploy.examples import NOW, settings
from tests.unit.deploy.page.pages import answering, holder, serving

pytestmark = pytest.mark.loopback
NODE = holder("node")
SHOWN = fingerprint(NODE.certificate)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, settings(NODE_ADDRESS="127.0.0.1", SSH="off"))


@pytest.fixture
def _node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with serving(answering("200 OK", NODE.pem)) as port:
        monkeypatch.setattr(fetch, "_PORT", port)
        yield


@pytest.mark.usefixtures("_node")
def test_the_key_with_the_fingerprint_of_the_console_is_pinned(project: Project) -> None:
    enrol(project, fingerprint=SHOWN)

    assert (project.folder / "certs/nodes/127.0.0.1.crt").read_bytes() == NODE.pem


@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize(
    ("wanted", "why"),
    [(SHOWN[:-1], "not SHA256:"), ("x", "not x"), ("", "not a terminal to confirm it")],
    ids=["almost", "short", "none"],
)
def test_no_other_key_is_pinned(project: Project, wanted: str, why: str) -> None:
    with pytest.raises(DeployError, match=why):
        enrol(project, fingerprint=wanted)
    assert not project.node_certificate.exists()


@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("agreed", [True, False])
def test_the_operator_compares_on_a_terminal(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, agreed: bool
) -> None:
    monkeypatch.setattr(prompt, "has_terminal", lambda: True)
    monkeypatch.setattr(prompt, "confirm", lambda _: agreed)

    if agreed:
        enrol(project, fingerprint="")
    else:
        with pytest.raises(DeployError, match="not pinned"):
            enrol(project, fingerprint="")

    assert project.node_certificate.exists() == agreed


@pytest.mark.parametrize(
    "shown",
    [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
     self_signed(new_key(), "ecdsa", now=NOW)],
    ids=["empty", "html", "broken", "ecdsa"],
)  # fmt: skip
def test_what_is_no_certificate_of_an_rsa_key_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, shown: bytes
) -> None:
    with serving(answering("200 OK", shown)) as port:
        monkeypatch.setattr(fetch, "_PORT", port)
        with pytest.raises(CertError, match="what 127"):
            enrol(project, fingerprint=SHOWN)
    assert not project.node_certificate.exists()


def test_a_node_has_one_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    two = NODE.pem + holder("stranger").pem
    with serving(answering("200 OK", two)) as port:
        monkeypatch.setattr(fetch, "_PORT", port)
        with pytest.raises(DeployError, match="2 certificates"):
            enrol(project, fingerprint=SHOWN)
