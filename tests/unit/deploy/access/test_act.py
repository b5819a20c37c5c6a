"""Every change of keys is recorded in the node's journal, a failed one too."""

import json
from pathlib import Path

import pytest

from deploy.access.act import access_drop, ask_host_keys, run_audited
from deploy.errors import DeployError
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

COMMAND = access_drop("core", ("AAAA",), ())


def journal(remote: FakeRemote) -> dict[str, str]:
    return dict(json.loads(remote.the("audit").arguments[0]))


def test_a_change_is_recorded_once_it_is_made(remote: FakeRemote, tmp_path: Path) -> None:
    run_audited(remote, Project(tmp_path, settings()), COMMAND, "access-remove", "ann removed")

    assert remote.scripts == ["access-drop", "audit"]
    line = journal(remote)
    assert (line["app"], line["what"], line["result"]) == ("node", "access-remove", "ok")
    assert line["detail"] == "ann removed"


def test_a_change_that_the_node_refuses_is_recorded_as_a_failure(
    remote: FakeRemote, tmp_path: Path
) -> None:
    remote.answers["access-drop"] = refusal("no other key would be left")

    with pytest.raises(DeployError, match="no other key"):
        run_audited(remote, Project(tmp_path, settings()), COMMAND, "access-remove", "ann removed")

    line = journal(remote)
    assert line["result"] == "failed"
    assert "no other key" in line["detail"]


@pytest.mark.parametrize("key", ["\x1c \x1c", "ssh-ed25519 AAAA\n* ssh-ed25519 AAAA", "a", ""])
def test_a_host_key_is_a_type_and_base64(key: str) -> None:
    answer = json.dumps({"keys": [{"key": key, "age_seconds": 1}], "changing": False})

    with pytest.raises(DeployError, match=r"host keys cannot be read at keys\.0\.key"):
        ask_host_keys(FakeRemote({"host-key": answer}))
