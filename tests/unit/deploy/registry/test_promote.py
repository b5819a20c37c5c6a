"""An image gets another tag without a layer, and only if it is signed; withdrawing goes back."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.promote import promote
from deploy.registry.withdraw import withdraw
from tests.unit.deploy.image.make import Made
from tests.unit.deploy.registry.conftest import project_at
from tests.unit.deploy.registry.fake_registry import FakeRegistry
from tests.unit.deploy.registry.test_publish import (
    REPO,
    live,
    send,
    signatures,
    write_image,
    write_layout_of,
)

pytestmark = pytest.mark.loopback


def stated(registry: FakeRegistry, tag: str = "live") -> tuple[int, str]:
    """Read what is signed about a tag: its sequence, and the image before."""
    name = f"{registry.address}/{REPO}:{tag}"
    [found] = [
        one["optional"]
        for one in signatures(registry, live(registry, tag))
        if one["critical"]["identity"]["docker-reference"] == name
    ]
    return found["sequence"], found.get("previous", "")


def three_images(project: Project, registry: FakeRegistry, made: Made) -> list[str]:
    found = []
    for content in (b"one", b"two", b"three"):
        write_image(project, made, content)
        send(project)
        found.append(live(registry))
    return found


def test_promoting_moves_no_layer(project: Project, registry: FakeRegistry) -> None:
    send(project, tag="staging")
    before = len(registry.written)

    promote(project, "staging", "live")

    assert live(registry) == live(registry, "staging")
    written = registry.written[before:]
    assert [one for one in written if "sig" not in one] == ["blob", "blob", "live"]
    assert len(signatures(registry, live(registry))) == 2


def test_each_tag_has_an_order_of_its_own(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project, tag="staging")
    first = live(registry, "staging")
    promote(project, "staging", "live")
    write_image(project, made, b"two")
    send(project, tag="staging")
    promote(project, "staging", "live")

    assert stated(registry)[1] == first
    assert stated(registry, "staging")[1] == first


def test_promoting_once_more_changes_nothing(project: Project, registry: FakeRegistry) -> None:
    send(project, tag="staging")
    promote(project, "staging", "live")
    before = len(registry.written)

    promote(project, "staging", "live")

    assert registry.written[before:] == []


def test_a_tag_promoted_to_itself_is_signed_once_more_with_the_same_image_before(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    first, *_ = three_images(project, registry, made)
    withdraw(project, "")
    sequence, previous = stated(registry)

    promote(project, "live", "live")

    assert stated(registry)[0] > sequence
    assert stated(registry)[1] == previous == first


def test_what_is_not_there_is_not_promoted(project: Project, registry: FakeRegistry) -> None:
    with pytest.raises(DeployError, match=r"there is no .*:staging"):
        promote(project, "staging", "live")


def test_an_image_of_a_stranger_is_not_promoted(
    project: Project, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    write_layout_of(project, tmp_path / "other")
    send(project_at(tmp_path / "other", registry), tag="staging")

    with pytest.raises(DeployError, match="no key of PULL_KEYS has signed"):
        promote(project, "staging", "live")
    assert (REPO, "live") not in registry.manifests


def test_an_image_that_was_signed_for_another_tag_is_not_promoted(
    project: Project, registry: FakeRegistry
) -> None:
    send(project, tag="test")
    registry.manifests[REPO, "staging"] = registry.manifests[REPO, "test"]

    with pytest.raises(DeployError, match="no key of PULL_KEYS has signed"):
        promote(project, "staging", "live")


def test_an_older_image_that_the_registry_shows_is_not_promoted(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project, tag="staging")
    older = registry.manifests[REPO, "staging"]
    write_image(project, made, b"two")
    send(project, tag="staging")
    registry.manifests[REPO, "staging"] = older

    with pytest.raises(DeployError, match="is older than what it was before"):
        promote(project, "staging", "live")
    assert (REPO, "live") not in registry.manifests


def test_what_a_colleague_published_counts_as_seen(
    project: Project, registry: FakeRegistry, made: Made, tmp_path: Path
) -> None:
    send(project, tag="staging")
    older = registry.manifests[REPO, "staging"]
    colleague = tmp_path / "colleague"
    colleague.mkdir()
    (colleague / "certs").symlink_to(tmp_path / "certs")
    write_image(project, made, b"two")
    write_layout_of(project, colleague)
    send(project_at(colleague, registry), tag="staging")
    promote(project, "staging", "live")
    registry.manifests[REPO, "staging"] = older

    with pytest.raises(DeployError, match="is older than what it was before"):
        promote(project, "staging", "live")


def test_withdrawing_goes_back_one_image_each_time(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    first, second, third = three_images(project, registry, made)
    sequences = [stated(registry)[0]]
    assert live(registry) == third

    withdraw(project, "")
    assert live(registry) == second
    sequences.append(stated(registry)[0])
    withdraw(project, "live")
    assert live(registry) == first
    sequences.append(stated(registry)[0])

    assert sequences == sorted(set(sequences))
    with pytest.raises(DeployError, match="is the first image"):
        withdraw(project, "")


def test_after_withdrawing_the_next_image_goes_back_to_the_one_that_served(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    _, second, third = three_images(project, registry, made)
    withdraw(project, "")

    send(project)

    assert live(registry) == third
    assert stated(registry)[1] == second


def test_an_image_that_the_registry_has_no_more_is_named(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    _, second, third = three_images(project, registry, made)
    del registry.manifests[REPO, second]

    with pytest.raises(DeployError, match=f"the registry has {second} no more"):
        withdraw(project, "")
    assert live(registry) == third
