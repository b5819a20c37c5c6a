"""`fab page` asks each node of a fleet once; one that does not answer costs itself only."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.app.plan.history import KeptRelease
from deploy.errors import DeployError, NodeUnheardError
from deploy.node import session
from deploy.overview.look import look_at
from deploy.overview.page import page
from deploy.overview.plan.fleet import Unknown
from deploy.project import Project
from tests.unit.deploy.examples import manifest, settings, state
from tests.unit.deploy.fake_remote import FakeRemote, refusal
from tests.unit.deploy.overview.fleets import change

SECRET = "s3cret-value"
WHY = "a does not answer at port 22"


def project(folder: Path, address: str, **values: object) -> Project:
    own = {"NODE_ADDRESS": address, "TLS": "none", "SSH_KEYS": "none-*.pub"}
    return Project(folder, settings(**own | values))


def answers(app: str = "shop-www", detail: str = "") -> FakeRemote:
    kept = KeptRelease(
        manifest=manifest(release="r1", app=app), serves=True, failed=False, bytes=1, image_bytes=1
    )
    failed = change(app=app, result="failed", release="r9", detail=detail)
    return FakeRemote({
        "probe": state(manifest=manifest(release="r1", app=app)).model_dump_json(),
        "releases": f"[{kept.model_dump_json()}]",
        "audit-lines": failed.to_json() + "\n",
        "metrics": "corefab_failed_units 0\n",
        "holdings": refusal("jq: not found"),
        "spec-hash": "",
        "inspect": refusal("jq: not found"),
    })  # fmt: skip


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeRemote | DeployError]:
    """Have each node answer by its address; no one visits an app."""
    found: dict[str, FakeRemote | DeployError] = {}

    @contextmanager
    def open_session(one: Project, *_: object) -> Iterator[FakeRemote]:
        there = found[one.settings.node_address]
        if isinstance(there, DeployError):
            raise there
        yield there

    monkeypatch.setattr(session, "open_session", open_session)
    monkeypatch.setattr(session, "endpoints", _no_endpoints)
    return found


def _no_endpoints(*_: object) -> None:
    raise DeployError("the name has no address")


def test_apps_of_one_node_are_looked_at_with_one_login(
    nodes: dict[str, FakeRemote | DeployError], tmp_path: Path
) -> None:
    there = nodes["a"] = answers()
    both = (project(tmp_path, "a"), project(tmp_path, "a", NAME="staging"))

    (node,) = look_at(both, lines=7).nodes

    assert [one.name for one in node.apps] == ["shop-www", "shop-staging"]
    assert [one.arguments for one in there.all_of("audit-lines")] == [("-", "7")]
    assert len(there.all_of("metrics")) == 1
    first = node.apps[0]
    assert not isinstance(first.releases, Unknown)
    assert [one.release for one in first.releases] == ["r9", "r1"]
    assert first.health == "the name has no address"
    assert isinstance(first.places, Unknown)
    assert "jq: not found" in first.places.why
    assert isinstance(first.drift, Unknown)
    # The other app's answers are those of the first one, and refused.
    assert isinstance(node.apps[1].state, Unknown)


def test_a_node_that_does_not_answer_is_unheard_and_the_page_is_written(
    nodes: dict[str, FakeRemote | DeployError],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nodes |= {"a": NodeUnheardError(WHY), "b": answers()}
    here = (project(tmp_path, "a"), project(tmp_path, "b", NAME="staging"))

    page(here, None, lines=9)

    file = tmp_path / "build/fleet.html"
    text = file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"unheard: {WHY}" in text
    assert "the health" not in text
    assert [one.name for one in file.parent.iterdir()] == ["fleet.html"]
    said = capsys.readouterr()
    assert WHY in said.err
    assert str(file) in said.out


def test_no_secret_is_on_the_page_and_without_hiding_it_would_be(
    nodes: dict[str, FakeRemote | DeployError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes["a"] = answers(detail=f"said {SECRET}")
    here = (project(tmp_path, "a", **{"SECRET_*": {"token": SECRET}}),)

    page(here, tmp_path / "x.html", lines=9)
    assert SECRET not in (tmp_path / "x.html").read_text()
    assert "said ***" in (tmp_path / "x.html").read_text()

    monkeypatch.setattr("deploy.overview.page.secrets_of", lambda _: ())
    page(here, tmp_path / "x.html", lines=9)
    assert SECRET in (tmp_path / "x.html").read_text()


def test_a_folder_that_cannot_be_written_is_an_error_and_the_old_page_stays(
    nodes: dict[str, FakeRemote | DeployError], tmp_path: Path
) -> None:
    nodes["a"] = answers()
    (tmp_path / "file").write_text("old")

    with pytest.raises(DeployError, match="cannot be written"):
        page((project(tmp_path, "a"),), tmp_path / "file/x.html", lines=9)

    assert (tmp_path / "file").read_text() == "old"


def test_a_folder_without_an_instance_says_what_to_do() -> None:
    with pytest.raises(DeployError, match="no instance"):
        page((), None, lines=9)
