"""Host keys are pinned before the node uses them, and unpinned after it stopped."""

import json

import pytest

from deploy.access.host_key import host_key_rotate
from deploy.errors import DeployError
from deploy.node.known_hosts import pin, pinned
from tests.unit.deploy.access.fleet import Fleet
from tests.unit.deploy.fake_remote import FakeRemote, refusal

OLD, NEW = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{name:x<43}" for name in ("Old", "New"))


def answer(*keys: str, new: tuple[str, ...] = ()) -> str:
    held = [{"key": key, "age_seconds": 1, "next": key in new} for key in keys]
    return json.dumps({"keys": held, "changing": bool(new)})


def node_of(fleet: Fleet, *answers: str) -> FakeRemote:
    pin(fleet.project.known_hosts, "one", None, (OLD,))
    remote = fleet.remotes["one"]
    remote.answers["host-key"] = list(answers)
    return remote


def steps(remote: FakeRemote) -> list[str]:
    return [command.arguments[0] for command in remote.all_of("host-key")]


def test_new_keys_are_pinned_beside_the_old_before_they_are_announced(fleet: Fleet) -> None:
    both = answer(OLD, NEW, new=(NEW,))
    remote = node_of(fleet, both)

    host_key_rotate(fleet.nodes[0], finish=False, at_once=False)

    assert steps(remote) == ["begin", "announce", "list"]
    assert pinned(fleet.project.known_hosts, "one", None) == (OLD, NEW)
    assert "announced: SHA256:" in fleet.journal("one")


def test_finishing_removes_the_old_keys_from_the_node_and_then_here(fleet: Fleet) -> None:
    both, new = answer(OLD, NEW, new=(NEW,)), answer(NEW)
    remote = node_of(fleet, both, both, new, new, new)

    host_key_rotate(fleet.nodes[0], finish=True, at_once=False)

    assert steps(remote) == ["list", "list", "finish", "list", "forget"]
    assert pinned(fleet.project.known_hosts, "one", None) == (NEW,)
    assert "removed: SHA256:" in fleet.journal("one")


def test_at_once_begins_and_finishes(fleet: Fleet) -> None:
    both, new = answer(OLD, NEW, new=(NEW,)), answer(NEW)
    remote = node_of(fleet, both, both, both, both, new, new, new)

    host_key_rotate(fleet.nodes[0], finish=False, at_once=True)

    assert steps(remote) == ["begin", "announce", "list", "list", "finish", "list", "forget"]
    assert pinned(fleet.project.known_hosts, "one", None) == (NEW,)


def test_a_run_that_ended_before_the_old_keys_were_unpinned_is_finished(fleet: Fleet) -> None:
    changing = json.dumps(json.loads(answer(NEW)) | {"changing": True})
    remote = node_of(fleet, changing, changing, changing, changing, answer(NEW))
    pin(fleet.project.known_hosts, "one", None, (OLD, NEW))

    host_key_rotate(fleet.nodes[0], finish=True, at_once=False)

    assert steps(remote)[-1] == "forget"
    assert pinned(fleet.project.known_hosts, "one", None) == (NEW,)
    assert "removed: by a run that was interrupted" in fleet.journal("one")


def test_nothing_to_finish_is_an_error(fleet: Fleet) -> None:
    node_of(fleet, answer(OLD))

    with pytest.raises(DeployError, match="is not changing its host keys"):
        host_key_rotate(fleet.nodes[0], finish=True, at_once=False)


def test_a_refused_announcement_leaves_both_keys_pinned(fleet: Fleet) -> None:
    remote = node_of(fleet)
    remote.answers["host-key"] = [answer(OLD, NEW, new=(NEW,)), refusal("sshd refuses")]

    with pytest.raises(DeployError, match="sshd refuses"):
        host_key_rotate(fleet.nodes[0], finish=False, at_once=False)

    assert pinned(fleet.project.known_hosts, "one", None) == (OLD, NEW)
