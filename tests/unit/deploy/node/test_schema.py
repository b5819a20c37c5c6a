"""Files of a newer corefab are refused; files of an older one are read."""

import json
import re

import pytest

from deploy.errors import DeployError
from deploy.node.answer import read_answer
from deploy.node.journal import AuditLine, read_audit
from deploy.node.release import Manifest
from deploy.node.schema import SCHEMA, Versioned, spec_hash
from deploy.node.script import scripts
from deploy.node.state import Interrupted, NodeState
from tests.unit.deploy.examples import manifest, state

PREAMBLE = scripts()["preamble"]
INTERRUPTED = Interrupted(release="r2", previous="r1")
LINE = AuditLine.model_validate({"at": "2030-01-02T03:04:05Z", "app": "shop-www", "who": "ann"})


@pytest.mark.parametrize("one", [manifest(), INTERRUPTED, LINE])
def test_a_file_without_a_version_is_version_1(one: Versioned) -> None:
    values = json.loads(one.model_dump_json(by_alias=True, exclude={"schema_version"}))

    assert type(one).model_validate(values) == one


@pytest.mark.parametrize("one", [manifest(), INTERRUPTED, LINE])
def test_a_newer_version_is_refused_with_both_versions(one: Versioned) -> None:
    newer = {"schema_version": SCHEMA + 1, "unknown": True}

    with pytest.raises(DeployError, match=f"schema version {SCHEMA + 1}; .* up to {SCHEMA}") as no:
        type(one).model_validate(newer)

    assert "upgrade corefab here" in no.value.hint


def test_a_newer_manifest_is_refused_whatever_else_it_has() -> None:
    answer = json.loads(state().model_dump_json())
    answer["manifest"] = {"schema_version": SCHEMA + 1}

    with pytest.raises(DeployError, match=f"a manifest of schema version {SCHEMA + 1}"):
        read_answer(NodeState, json.dumps(answer), "the node's state")


@pytest.mark.parametrize("version", ["x", "2", None, True, 1.5, [1]])
def test_a_version_that_is_not_a_number_is_refused(version: object) -> None:
    text = json.dumps(json.loads(manifest().model_dump_json()) | {"schema_version": version})

    with pytest.raises(DeployError, match="schema_version"):
        read_answer(Manifest, text, "a manifest")


def test_a_newer_line_of_the_journal_is_refused() -> None:
    text = LINE.model_copy(update={"schema_version": 1}).model_dump_json()
    newer = json.dumps(json.loads(text) | {"schema_version": SCHEMA + 1})

    assert len(list(read_audit(text))) == 1
    with pytest.raises(DeployError, match="line in its journal of changes of schema version"):
        list(read_audit(newer))


def test_a_machine_spec_of_a_later_version_has_it_before_its_hash() -> None:
    assert spec_hash("ab12\n") == "ab12"
    assert spec_hash("") == ""
    assert spec_hash("1:ab12") == "1:ab12"
    with pytest.raises(DeployError, match=f"a machine spec of schema version {SCHEMA + 1}"):
        spec_hash(f"{SCHEMA + 1}:ab12")


def test_the_scripts_write_the_same_schema_version() -> None:
    found = re.search(r"^schema_version=(\d+)$", PREAMBLE.read_text(), re.MULTILINE)

    assert found
    assert int(found[1]) == SCHEMA
