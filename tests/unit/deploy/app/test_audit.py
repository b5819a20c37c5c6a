"""`fab audit` prints a node's journal of changes."""

import json
from pathlib import Path

import pytest

from deploy.app.audit import audit
from deploy.errors import DeployError
from deploy.node.journal import MACHINE, AuditLine
from deploy.project import Project
from tests.unit.deploy.examples import NOW, settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings(NODE_ADDRESS="web1"))
DEPLOY = AuditLine(
    at=NOW, app="shop-www", what="deploy", who="ann@desk", release="r1", commit="0123456789abcdef"
)
CONVERGE = AuditLine(at=NOW, app=MACHINE, what="converge", who="ann@desk", result="failed")
JOURNAL = "".join(f"{line.to_json()}\n" for line in (DEPLOY, CONVERGE))


@pytest.mark.parametrize(("every", "app"), [(False, "shop-www"), (True, "-")])
def test_the_last_lines_are_asked_for_one_app_or_all(
    remote: FakeRemote, *, every: bool, app: str
) -> None:
    audit(PROJECT, lines=5, every=every, as_json=False)

    assert remote.the("audit-lines").arguments == (app, "5")


def test_changes_are_printed_a_line_each(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["audit-lines"] = JOURNAL

    audit(PROJECT, lines=5, every=False, as_json=False)

    title, columns, *rows = capsys.readouterr().out.splitlines()
    assert title.strip() == "changes on web1"
    assert " ".join(columns.split()) == "when what result release who from commit detail"
    first = "2030-06-15 12:00:00 deploy ok r1 ann@desk 0123456789ab"
    assert " ".join(rows[0].split()) == first
    assert "converge (machine)" in rows[1]
    assert "failed" in rows[1]


def test_json_has_the_address_and_login_that_the_node_added(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads(DEPLOY.to_json()) | {"from": "192.0.2.7", "login": "core"}
    remote.answers["audit-lines"] = json.dumps(line)

    audit(PROJECT, lines=5, every=False, as_json=True)

    (shown,) = json.loads(capsys.readouterr().out)["lines"]
    assert (shown["what"], shown["from"], shown["login"]) == ("deploy", "192.0.2.7", "core")


def test_a_node_that_fails_to_answer_is_quoted(remote: FakeRemote) -> None:
    remote.answers["audit-lines"] = refusal("jq: command not found")

    with pytest.raises(DeployError, match="jq: command not found"):
        audit(PROJECT, lines=5, every=False, as_json=False)
