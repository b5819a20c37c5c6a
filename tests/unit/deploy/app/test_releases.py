"""`fab releases` lists what the node keeps and what failed there, the newest first."""

import json
from pathlib import Path

import pytest

from deploy.app.plan.history import KeptRelease
from deploy.app.releases import releases
from deploy.errors import DeployError
from deploy.node.journal import AuditLine
from deploy.node.release import Proof
from deploy.project import Project
from tests.unit.deploy.examples import NOW, manifest, settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings(NODE_ADDRESS="web1"))
KEPT = KeptRelease(
    manifest=manifest(release="r1", commit="c" * 40, dirty=True, seconds={"start": 1.25}),
    serves=True,
    failed=False,
    bytes=1_000_000,
    image_bytes=2_000_000,
)
FAILED = AuditLine(
    at=NOW, app="shop-www", who="ann@desk", result="failed", release="r2", detail="not healthy"
)


@pytest.fixture
def node(remote: FakeRemote) -> FakeRemote:
    remote.answers["releases"] = f"[{KEPT.model_dump_json()}]"
    remote.answers["audit-lines"] = FAILED.to_json() + "\n"
    return remote


def test_kept_and_failed_releases_are_rows_of_one_table(
    node: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    releases(PROJECT, as_json=False)

    *_, failed, kept = capsys.readouterr().out.splitlines()
    assert all(word in failed for word in ("r2", "failed", "gone", "ann@desk", "not healthy"))
    assert all(word in kept for word in ("r1", "serves", "3 MB", "cccccccccccc (dirty)", "1.2 s"))
    assert node.scripts == ["releases", "audit-lines"]


@pytest.mark.parametrize(
    ("address", "port", "shown"),
    [
        ("", 443, "https://shop.example.org/health, slots"),
        ("192.0.2.7", 8443, "https://shop.example.org:8443/health at 192.0.2.7, slots"),
    ],
)
def test_how_a_release_is_checked_is_shown(
    node: FakeRemote, capsys: pytest.CaptureFixture[str], address: str, port: int, shown: str
) -> None:
    proof = Proof(
        path="/health", address=address, port=port, names=("shop.example.org",), switch="slots"
    )
    kept = KEPT.model_copy(update={"manifest": manifest(release="r1", proof=proof)})
    node.answers["releases"] = f"[{kept.model_dump_json()}]"

    releases(PROJECT, as_json=False)
    assert shown in capsys.readouterr().out

    releases(PROJECT, as_json=True)
    assert json.loads(capsys.readouterr().out)["releases"][1]["proof"]["port"] == port


def test_programs_get_every_field(node: FakeRemote, capsys: pytest.CaptureFixture[str]) -> None:
    releases(PROJECT, as_json=True)

    failed, kept = json.loads(capsys.readouterr().out)["releases"]
    assert (failed["release"], failed["result"], failed["kept"]) == ("r2", "failed", False)
    assert (kept["release"], kept["result"], kept["seconds"]) == ("r1", "serves", {"start": 1.25})


def test_a_node_without_releases_has_an_empty_list(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["releases"] = "[]"

    releases(PROJECT, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"releases": []}


def test_a_node_that_refuses_is_quoted(remote: FakeRemote) -> None:
    remote.answers["releases"] = refusal("jq: command not found")

    with pytest.raises(DeployError, match=r"listing the releases of shop-www failed .*: jq"):
        releases(PROJECT, as_json=False)
