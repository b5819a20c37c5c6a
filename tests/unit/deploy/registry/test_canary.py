"""A tag moves only after the node that takes an image first has served it well for a while."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.release import proof_of
from deploy.project import Project
from deploy.registry import canary
from deploy.registry.promote import promote
from tests.clock import Clock
from tests.unit.deploy.examples import manifest, state
from tests.unit.deploy.fake_remote import Answer, FakeRemote, refusal
from tests.unit.deploy.page.pages import answering, serving
from tests.unit.deploy.pull.test_status import LOOK
from tests.unit.deploy.registry.fake_registry import FakeRegistry
from tests.unit.deploy.registry.test_publish import live, send

pytestmark = pytest.mark.loopback
MINUTES = 3


@pytest.fixture(autouse=True)
def waiting(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(canary, "time", made)
    return made


@pytest.fixture
def port() -> Iterator[int]:
    with serving(answering("200 OK")) as found:
        yield found


@pytest.fixture
def image(project: Project, registry: FakeRegistry, remote: FakeRemote, port: int) -> str:
    """Publish to the tag that the canary follows, which serves it."""
    send(project, tag="canary")
    lines = {
        "PROJECT": "shop", "IMAGE": "x", "CERT_NAMES": "www.example.org", "NODE_ADDRESS": "web1",
        "PUBLIC_ADDRESS": "127.0.0.1", "TLS": "none", "HTTP_PORT": port, "CERT_PASSWORD": "x",
        "PULL": f"{registry.address}/shop/www:canary",
    }  # fmt: skip
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (project.folder / ".env").write_text(text)
    (project.folder / ".env").chmod(0o600)
    digest = live(registry, "canary")
    remote.answers |= {"probe": served(project, digest, port), "pull-status": looked(digest)}
    return digest


def served(project: Project, digest: str, port: int, **changes: object) -> str:
    proof = proof_of(project.settings).model_copy(
        update={"address": "127.0.0.1", "port": port, "tls": "none"}
    )
    release = manifest(image=f"registry/shop/www@{digest}", proof=proof)
    return state(manifest=release, **changes).model_dump_json()


def looked(digest: str, result: str = "same") -> str:
    return json.dumps(LOOK | {"digest": digest, "result": result, "why": "so it is"})


def moved(registry: FakeRegistry) -> bool:
    return "live" in registry.written


def test_the_tag_moves_after_the_canary_has_served_it_well(
    project: Project, registry: FakeRegistry, image: str, waiting: Clock
) -> None:
    promote(project, "canary", "live", watch_minutes=MINUTES)

    assert live(registry) == image
    assert 60 * MINUTES <= waiting.slept < 60 * MINUTES + 30


def test_the_time_begins_when_the_canary_serves_it(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str, waiting: Clock
) -> None:
    other: Answer = state().model_dump_json()
    remote.answers["probe"] = [other, refusal("gone"), other, str(remote.answers["probe"])]

    promote(project, "canary", "live", watch_minutes=MINUTES)

    assert live(registry) == image
    assert waiting.slept >= 60 * MINUTES + 45


@pytest.mark.parametrize("result", ["failed", "held-back", "refused"])
def test_an_image_that_failed_there_leaves_the_tag_alone(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str, result: str
) -> None:
    remote.answers["probe"] = state().model_dump_json()
    remote.answers["pull-status"] = looked(image, result)

    with pytest.raises(DeployError, match=f"did not serve: {result}: so it is"):
        promote(project, "canary", "live", watch_minutes=MINUTES)
    assert not moved(registry)


def test_a_failure_of_another_image_is_not_this_ones(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str
) -> None:
    remote.answers["pull-status"] = [looked("sha256:" + "0" * 64, "failed"), looked(image)]

    promote(project, "canary", "live", watch_minutes=MINUTES)

    assert live(registry) == image


@pytest.mark.parametrize("change", [{"active": "failed"}, {"manifest": None}])
def test_a_canary_that_does_not_stay_well_leaves_the_tag_alone(
    project: Project,
    registry: FakeRegistry,
    remote: FakeRemote,
    image: str,
    change: dict[str, object],
) -> None:
    well = str(remote.answers["probe"])
    worse = json.loads(well) | change
    remote.answers["probe"] = [well, well, json.dumps(worse)]

    with pytest.raises(DeployError, match="did not stay well"):
        promote(project, "canary", "live", watch_minutes=MINUTES)
    assert not moved(registry)


def test_a_page_that_answers_500_leaves_the_tag_alone(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str, port: int
) -> None:
    with serving(answering("500 Oh")) as ill:
        well = str(remote.answers["probe"])
        remote.answers["probe"] = [well, served(project, image, ill)]
        with pytest.raises(DeployError, match="the health path answers 500"):
            promote(project, "canary", "live", watch_minutes=MINUTES)
    assert not moved(registry)


def test_a_canary_that_never_takes_it_is_given_up(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str, waiting: Clock
) -> None:
    remote.answers["probe"] = state().model_dump_json()

    with pytest.raises(DeployError, match="not served well within 2 hours"):
        promote(project, "canary", "live", watch_minutes=MINUTES)
    assert not moved(registry)
    assert waiting.slept >= 7200


def test_a_tag_that_no_instance_follows_cannot_be_watched(
    project: Project, registry: FakeRegistry, image: str
) -> None:
    text = (project.folder / ".env").read_text()
    (project.folder / ".env").write_text(text.replace(":canary", ":other"))

    with pytest.raises(DeployError, match="no instance here follows"):
        promote(project, "canary", "live", watch_minutes=MINUTES)
    assert not moved(registry)


def test_without_watching_no_node_is_asked(
    project: Project, registry: FakeRegistry, remote: FakeRemote, image: str, tmp_path: Path
) -> None:
    promote(project, "canary", "live")

    assert remote.commands == []
