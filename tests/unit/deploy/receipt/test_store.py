"""What a node answers is bounded and refused in one message; files here are read as they are."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.receipt.plan.receipt import Signed
from deploy.receipt.store import folder_of, keep, kept, last_on_node, on_node
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote

GOOD = {"release": "r1", "content": "e30=", "signature": ""}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, settings(NODE_ADDRESS="web1"))


def answering(**changes: object) -> FakeRemote:
    return FakeRemote({"receipts": json.dumps({"receipts": [GOOD | changes], "releases": []})})


def test_a_nodes_receipt_is_its_bytes() -> None:
    assert on_node(answering(signature="AA=="), "shop-www") == ((Signed("r1", b"{}", b"\0"),), ())
    assert last_on_node(answering(), "shop-www") == Signed("r1", b"{}", b"")


@pytest.mark.parametrize(
    "changes",
    [
        {"release": "../../evil"},
        {"release": ""},
        {"content": "e30"},
        {"content": "\x1b[2J"},
        {"content": "A" * (2**21 + 4)},
        {"signature": "A" * (2**15 + 4)},
        {"content": 1},
    ],
)
def test_what_is_no_receipt_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DeployError, match="the node's receipts cannot be read"):
        on_node(answering(**changes), "shop-www")


def test_more_receipts_than_a_node_can_have_are_refused() -> None:
    answer = json.dumps({"receipts": [GOOD] * 100_001, "releases": []})

    with pytest.raises(DeployError, match="cannot be read"):
        on_node(FakeRemote({"receipts": answer}), "shop-www")


def test_each_node_of_an_app_has_a_folder_here(project: Project, tmp_path: Path) -> None:
    one = Signed("r1", b"{}", b"x")
    keep(project, one)
    (folder_of(project) / ".hidden.json").write_text("{}")

    assert kept(project) == (one,)
    assert kept(Project(tmp_path, settings(NODE_ADDRESS="web2"))) == ()
    assert kept(Project(tmp_path, settings(NODE_ADDRESS="web1", NAME="staging"))) == ()


def test_a_receipt_without_its_signature_is_read_with_none(project: Project) -> None:
    keep(project, Signed("r1", b"{}", b"x"))
    (folder_of(project) / "r1.json.sig").unlink()

    assert kept(project) == (Signed("r1", b"{}", b""),)
