"""The proxy's certificates are set aside for new ones, and are back whatever fails."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.certificate import on_node
from deploy.certificate.on_node import rotate_on_node
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.endpoint import Endpoint
from deploy.project import Project
from tests.unit.deploy.examples import fresh, settings
from tests.unit.deploy.fake_remote import FakeRemote, lost, refusal

NAMES = ("shop.example.org", "www.shop.example.org")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: FakeRemote) -> Project:
    """An app whose proxy shows another certificate each time that it is asked."""
    shown = map(str, count())
    endpoint = Endpoint("192.0.2.1", 443, NAMES[0])
    monkeypatch.setattr(session, "endpoint", lambda *_: endpoint)
    monkeypatch.setattr(
        on_node,
        "check",
        lambda *_: SimpleNamespace(certificate=SimpleNamespace(sha256=next(shown))),
    )
    monkeypatch.setattr(on_node, "fetch_image", lambda *_: None)
    monkeypatch.setattr(on_node, "deploy", lambda *_: None)
    remote.answers["probe"] = fresh().model_dump_json()
    own = settings(TLS="proxy", CERT_NAMES=", ".join(NAMES), NODE_ADDRESS="web1")
    return Project(tmp_path, own)


def done(remote: FakeRemote) -> list[str]:
    """List what was done with the certificates of both names."""
    calls = [command.arguments for command in remote.all_of("proxy-certificates")]
    assert {names for _, *rest in calls for names in rest} == {*NAMES}
    return [verb for verb, *_ in calls]


def test_the_old_ones_are_forgotten_once_new_ones_are_shown(
    shop: Project, remote: FakeRemote
) -> None:
    rotate_on_node(shop)

    assert done(remote) == ["set-aside", "forget"]


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [DeployError("no authority", "x"), KeyboardInterrupt()])
def test_the_old_ones_are_back_where_the_new_proxy_gets_none(
    shop: Project, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(on_node, "deploy", raising(error))

    with pytest.raises(type(error)):
        rotate_on_node(shop)

    assert done(remote) == ["set-aside", "put-back"]


def test_the_old_ones_are_back_where_only_some_could_be_set_aside(
    shop: Project, remote: FakeRemote
) -> None:
    remote.answers["proxy-certificates"] = [refusal("No space left on device"), ""]

    with pytest.raises(DeployError, match="No space left"):
        rotate_on_node(shop)

    assert done(remote) == ["set-aside", "put-back"]


def test_the_old_ones_are_back_where_the_same_certificate_is_shown(
    shop: Project, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = SimpleNamespace(certificate=SimpleNamespace(sha256="1" * 64))
    monkeypatch.setattr(on_node, "check", lambda *_: same)

    with pytest.raises(DeployError, match=f"{NAMES[0]} still shows the certificate 1{{16}}$"):
        rotate_on_node(shop)

    assert done(remote) == ["set-aside", "put-back"]


def test_what_kept_them_from_coming_back_is_a_warning_beside_the_cause(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["proxy-certificates"] = [refusal("read-only"), lost()]

    with pytest.raises(DeployError, match="read-only"):
        rotate_on_node(shop)

    assert "the connection to the node was lost" in capsys.readouterr().err
