"""The settings say which node to log in to, and where its app answers."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.endpoint import Endpoint
from deploy.node.login import Login
from deploy.node.target import Target
from deploy.project import Project
from rehearsal import lifecycle
from rehearsal.node import Node, NodeStatus
from tests.unit.deploy.examples import settings

UP = Node("shop", "198.18.0.2", "fd00::2", 22, (), "b", Path("/tree"), "running", (), 1.0, "Debian")
NODE = {"NODE_ADDRESS": "192.0.2.1", "NODE_PORT": "2222", "NODE_USER": "ann"}


def project(**values: str) -> Project:
    return Project(Path("/shop"), settings(**values))


@pytest.fixture
def rehearsal_node(monkeypatch: pytest.MonkeyPatch) -> None:
    status = NodeStatus("shop", "running", "198.18.0.2", 22, "b", Path("/tree"), Path("/shop"))
    monkeypatch.setattr(lifecycle, "status", lambda: (status,))
    monkeypatch.setattr(lifecycle, "find", lambda name: UP if name == "shop" else None)


def test_address_port_user_and_pinned_keys_come_from_the_settings() -> None:
    assert session.target(project(**NODE)) == Target(
        "192.0.2.1", 2222, "ann", None, Path("/shop/certs/known_hosts")
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_a_passphrase_is_asked_for_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    monkeypatch.setattr(prompt, "has_terminal", lambda: terminal)

    assert session.passphrase_prompt() == (prompt.ask_secret if terminal else None)


def test_without_a_node_a_session_says_what_to_set() -> None:
    with (
        pytest.raises(DeployError, match="no node is named") as caught,
        session.open_session(project()),
    ):
        pass

    assert "NODE_ADDRESS" in caught.value.hint


def test_an_early_login_starts_only_where_a_node_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Target] = []

    def start(target: Target) -> Login:
        started.append(target)
        return Login(target, Future())

    monkeypatch.setattr(session, "start_login", start)

    assert session.expect_login(project()) is None
    login = session.expect_login(project(**NODE))

    assert login
    assert started == [login.target]
    assert login.target.host == "192.0.2.1"


@pytest.mark.usefixtures("rehearsal_node")
def test_rehearsal_means_the_running_node_of_the_project() -> None:
    assert session.target(project(NODE_ADDRESS="rehearsal")).host == "198.18.0.2"


@pytest.mark.usefixtures("rehearsal_node")
def test_a_rehearsal_node_that_does_not_run_is_reported() -> None:
    with pytest.raises(DeployError, match="rehearsal node blog does not run") as caught:
        session.target(project(NODE_ADDRESS="rehearsal", PROJECT="blog"))

    assert "fab" in caught.value.hint


@pytest.mark.usefixtures("rehearsal_node")
def test_a_rehearsal_node_of_another_folder_is_refused() -> None:
    other = Project(Path("/other"), settings(NODE_ADDRESS="rehearsal"))

    with pytest.raises(DeployError, match="rehearsal node shop belongs to /shop"):
        session.target(other)


def test_the_app_answers_at_the_node_by_its_first_name() -> None:
    one = project(**NODE, CERT_NAMES="*.example.org, example.org", HTTPS_PORT="8443")

    assert session.endpoint(one) == Endpoint("192.0.2.1", 8443, "www.example.org")


def test_every_address_of_a_public_name_is_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ("192.0.2.7", "2001:db8::7")
    monkeypatch.setattr(session, "addresses_of", {"shop.example.net": addresses}.__getitem__)

    found = session.endpoints(project(**NODE, PUBLIC_ADDRESS="shop.example.net"))
    assert tuple(one.address for one in found) == addresses


def test_a_public_address_replaces_the_nodes() -> None:
    one = project(**NODE, PUBLIC_ADDRESS="2001:db8::7")

    assert session.endpoint(one) == Endpoint("2001:db8::7", 443, "shop.example.org")


@pytest.mark.usefixtures("rehearsal_node")
def test_a_rehearsal_node_answers_over_ipv4_and_ipv6() -> None:
    found = session.endpoints(project(NODE_ADDRESS="rehearsal"))

    assert [one.address for one in found] == ["198.18.0.2", "fd00::2"]


def test_a_command_that_needs_a_login_says_that_the_node_has_none_and_what_to_do() -> None:
    closed = Project(Path("/shop"), project(**NODE).settings.model_copy(update={"ssh": "off"}))

    with pytest.raises(DeployError, match="the node has SSH=off") as caught:
        session.expect_login(closed)

    assert "fab publish" in caught.value.hint
    assert "ann in" in caught.value.hint
    with pytest.raises(DeployError, match="SSH=off"), session.open_session(closed):
        pass
