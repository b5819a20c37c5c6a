"""A tag that nodes follow is moved only after a canary has served its image well."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest

from tests.system import outside
from tests.system.closed import CLOSED, LIVE, Machine, closed
from tests.system.project import Project, make_project, write_settings
from tests.system.rehearsal.nodes import require_nodes
from tests.system.visitors import Visits

pytestmark = [pytest.mark.node, pytest.mark.slow]
CANARY = "canary.example.org"
NAME = f"promote{os.getpid()}"
NEVER_HEALTHY = "ENV SPEAKS=nothing"
MACHINES = 20


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Boot a machine without SSH: its app follows a tag, and another one the canary's."""
    require_nodes()
    with closed(tmp_path_factory.mktemp("promote"), NAME, os.getpid() + 60) as machine:
        other = {
            "NAME": "canary",
            "CERT_NAMES": CANARY,
            "PULL": f"{machine.world.registry.address}/shop/www:canary",
        }
        write_settings(machine.folder / ".env.canary", "", other)
        machine.publish("one")
        machine.publish("one", tag="canary")
        machine.must("operator-key")
        machine.must("prepare", "--yes")
        machine.boot()
        machine.await_page(LIVE, "one")
        machine.await_page(CANARY, "one")
        machine.must("enrol", "--fingerprint", outside.await_key(NAME))
        yield machine


@pytest.fixture
def visits(machine: Machine) -> Iterator[Visits]:
    """Have visitors of the app that follows the tag, who notice nothing."""
    with machine.visited() as found:
        yield found


def live(machine: Machine) -> str:
    """Read the digest that the tag names in the registry."""
    repository = machine.world.registry.store / "docker/registry/v2/repositories/shop/www"
    return (repository / "_manifests/tags/live/current/link").read_text()


def test_the_tag_is_moved_after_the_canary_has_served_the_image_well(
    machine: Machine, visits: Visits
) -> None:
    before = live(machine)
    machine.publish("two", tag="canary")

    watch = machine.start("promote", "canary", "live", "--watch", "1")
    try:
        machine.await_page(CANARY, "two")
        # The minute begins now at the earliest.
        assert (watch.poll(), live(machine), machine.page(LIVE)) == (None, before, "one")
        said, _ = watch.communicate(timeout=outside.PATIENCE_SECONDS)
    finally:
        watch.kill()

    assert watch.returncode == 0, said
    assert live(machine) == machine.status(f"{NAME}-canary")["digest"] != before
    machine.await_page(LIVE, "two")


def test_an_image_that_fails_on_the_canary_leaves_the_tag_alone(
    machine: Machine, visits: Visits
) -> None:
    before = live(machine)
    machine.publish("bad", tag="canary", more=NEVER_HEALTHY)

    refused = machine.fab("promote", "canary", "live", "--watch", "1")

    assert refused.code == 1, refused.out
    assert "has tried this image, and it did not serve" in refused.out
    assert "the tag was left alone" in refused.out
    assert (live(machine), machine.page(LIVE), machine.page(CANARY)) == (before, "two", "two")


@pytest.fixture
def followers(machine: Machine) -> Iterator[list[str]]:
    """Boot the other machines that follow the tag; give their names."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(follower(machine, one)) for one in range(1, MACHINES)]
        yield [one.settings["PROJECT"] for one in made]


@contextlib.contextmanager
def follower(machine: Machine, number: int) -> Iterator[Project]:
    """Boot a machine without SSH or proxy, whose app follows the tag."""
    own = {
        **CLOSED, "IMAGE": machine.image, "TLS": "none", "CERT_FROM": "", "PULL_EVERY": "*:*:0/20",
        "PULL": machine.settings["PULL"], "PULL_ROOT": machine.settings["PULL_ROOT"],
    }  # fmt: skip
    project = make_project(machine.folder.parent / f"f{number}", f"{NAME}-{number}", **own)
    shutil.copy(machine.folder / "certs/publish.pub", project.folder / "certs")
    try:
        project.must("prepare", "--yes")
        project.must("rehearsal-up")
        yield project
    finally:
        project.node_down()
        shutil.rmtree(project.folder)


def looked(node: str) -> tuple[str, str]:
    """Read when a machine has last looked at its tag, and what came of it."""
    path = f"var/lib/corefab/pull/{node}-www/status.json"
    return outside.read(node, path, "at"), outside.read(node, path, "result")


def await_look(node: str) -> None:
    """Wait until a machine has looked at its tag again."""
    before, _ = looked(node)
    outside.until(lambda: "yes" if looked(node)[0] != before else "", f"another look of {node}")


def image_of(app: str, node: str) -> str:
    """Read which image an app serves."""
    return outside.read(node, f"var/lib/{app}/current/manifest.json", "image_id")


@pytest.mark.stress
def test_an_image_that_fails_on_the_canary_reaches_none_of_twenty_machines(
    machine: Machine, followers: list[str]
) -> None:
    image = image_of(machine.app, NAME)
    for node in followers:
        outside.await_image(node, f"{node}-www", image)
    machine.publish("worse", tag="canary", more=NEVER_HEALTHY)

    refused = machine.fab("promote", "canary", "live", "--watch", "1")

    assert refused.code == 1, refused.out
    for node in followers:
        await_look(node)
    assert {(looked(node)[1], image_of(f"{node}-www", node)) for node in followers} == {
        ("same", image)
    }

    machine.publish("three", tag="canary")
    machine.must("promote", "canary", "live", "--watch", "1")

    machine.await_page(LIVE, "three")
    for node in followers:
        outside.await_image(node, f"{node}-www", image_of(machine.app, NAME))
