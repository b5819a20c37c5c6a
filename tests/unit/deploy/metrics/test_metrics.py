"""`fab metrics` prints the metrics of nodes, each node once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.metrics.metrics import metrics
from deploy.node import session
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, lost, refusal

SAID = '# TYPE corefab_x gauge\ncorefab_x{app="shop-www"} 1\n# EOF\n'


def project(address: str, **values: object) -> Project:
    return Project(Path(), settings(NODE_ADDRESS=address, **values))


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeRemote]:
    """Have each node answer by its address."""
    found: dict[str, FakeRemote] = {}

    @contextmanager
    def open_session(one: Project, *_: object) -> Iterator[FakeRemote]:
        yield found[one.settings.node_address]

    monkeypatch.setattr(session, "open_session", open_session)
    return found


def test_each_node_of_a_fleet_is_asked_once(
    nodes: dict[str, FakeRemote], capsys: pytest.CaptureFixture[str]
) -> None:
    nodes |= {name: FakeRemote({"metrics": SAID}) for name in ("a", "b")}

    asked = (project("a"), project("b"), project("a", NAME="staging"))
    assert metrics(asked) == 0

    said = capsys.readouterr().out.splitlines()
    assert 'corefab_x{app="shop-www",node="a"} 1' in said
    assert 'corefab_x{app="shop-www",node="b"} 1' in said
    assert 'corefab_node_answers{node="b"} 1' in said
    assert said[-1] == "# EOF"
    assert [len(one.commands) for one in nodes.values()] == [1, 1]


def test_of_a_fleet_a_node_that_does_not_answer_costs_itself_only(
    nodes: dict[str, FakeRemote], capsys: pytest.CaptureFixture[str]
) -> None:
    nodes |= {"a": FakeRemote({"metrics": lost()}), "b": FakeRemote({"metrics": SAID})}
    nodes["c"] = FakeRemote({"metrics": "<html>\x1b[2J"})

    assert metrics(tuple(map(project, "abc"))) == 1

    captured = capsys.readouterr()
    assert 'corefab_node_answers{node="a"} 0' in captured.out
    assert 'corefab_node_answers{node="c"} 0' in captured.out
    assert 'corefab_x{app="shop-www",node="b"} 1' in captured.out
    assert "a: the connection to the node was lost" in captured.err
    assert "<html>\\x1b[2J" in captured.err


@pytest.mark.parametrize("answer", [lost(), refusal("no disk"), "<html>"])
def test_one_node_that_does_not_answer_is_an_error(
    nodes: dict[str, FakeRemote], answer: DeployError
) -> None:
    nodes["a"] = FakeRemote({"metrics": answer})

    with pytest.raises(DeployError):
        metrics((project("a"),))
