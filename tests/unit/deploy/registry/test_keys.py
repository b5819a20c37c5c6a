"""The key that signs images is made once, kept encrypted, and changed without a gap."""

import pytest

from certs.detached import public_key, public_pem
from certs.errors import CertError
from certs.keyfile import new_key
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.keys import publish_key
from deploy.registry.promote import promote
from tests.unit.deploy.registry.conftest import project_at
from tests.unit.deploy.registry.fake_registry import FakeRegistry
from tests.unit.deploy.registry.test_publish import REPO, live, send, signatures

pytestmark = pytest.mark.loopback


def show(project: Project, *, following: bool = False, finish: bool = False) -> None:
    publish_key(project, following=following, finish=finish)


def test_the_key_is_made_once(project: Project) -> None:
    show(project)
    first = project.publish_key.read_bytes()

    show(project)

    assert project.publish_key.read_bytes() == first
    assert not project.next_publish_key.exists()


def test_a_lost_public_key_is_written_again(project: Project) -> None:
    show(project)
    first = project.publish_key.read_bytes()
    project.publish_key.unlink()

    show(project)

    assert project.publish_key.read_bytes() == first


def test_no_second_key_is_made_where_another_workstation_has_the_first(project: Project) -> None:
    show(project)
    key = project.material / "authority/publish.key.enc"
    key.unlink()

    with pytest.raises(DeployError, match="its private key"):
        send(project)
    assert not key.exists()


def test_a_public_key_of_another_key_is_refused(project: Project) -> None:
    show(project)
    project.publish_key.write_bytes(public_pem(public_key(new_key())))

    with pytest.raises(DeployError, match="is not the public half"):
        send(project)


@pytest.mark.parametrize("kind", ["rsa-2048", "ecdsa-p384"])
def test_a_key_of_another_kind_signs_no_image(kind: str) -> None:
    with pytest.raises(CertError, match="ECDSA P-256"):
        public_key(new_key(kind))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n", b"\0" * 100])
def test_what_is_no_public_key_is_named(project: Project, content: bytes) -> None:
    show(project)
    (project.folder / "other.pub").write_bytes(content)
    project = Project(
        project.folder,
        project.settings.model_copy(update={"pull_keys": ("certs/publish.pub", "other.pub")}),
    )

    with pytest.raises(CertError, match=r"other\.pub: not a public key"):
        send(project)


def test_a_key_that_is_not_there_is_named(project: Project, registry: FakeRegistry) -> None:
    keys = "certs/publish.pub, certs/gone.pub"

    with pytest.raises(DeployError, match=r"PULL_KEYS names .*gone\.pub"):
        send(project_at(project.folder, registry, PULL_KEYS=keys))


def test_while_the_key_changes_images_are_signed_with_both(
    project: Project, registry: FakeRegistry
) -> None:
    send(project)
    show(project, following=True)
    send(project)
    send(project)

    one, two = signatures(registry, live(registry))
    assert one == two
    found = registry.json(REPO, f"{live(registry).replace(':', '-')}.sig")["layers"]
    assert found[0]["annotations"] != found[1]["annotations"]


def test_the_following_key_takes_over(project: Project, registry: FakeRegistry) -> None:
    send(project)
    show(project, following=True)
    following = project.next_publish_key.read_bytes()
    promote(project, "live", "live")

    show(project, finish=True)

    assert project.publish_key.read_bytes() == following
    assert not project.next_publish_key.exists()
    before = len(registry.written)
    send(project)
    assert registry.written[before:] == []


def test_an_interrupted_change_is_finished_by_another_call(project: Project) -> None:
    show(project)
    show(project, following=True)
    following = project.next_publish_key.read_bytes()
    key = project.material / "authority/publish-next.key.enc"
    key.replace(project.material / "authority/publish.key.enc")

    with pytest.raises(DeployError, match="is not the public half"):
        send(project)
    show(project, finish=True)

    assert project.publish_key.read_bytes() == following


def test_there_is_nothing_to_finish_without_a_following_key(project: Project) -> None:
    with pytest.raises(DeployError, match="no following key"):
        show(project, finish=True)
