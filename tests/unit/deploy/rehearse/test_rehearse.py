"""Rehearsal nodes of one operator's folder among those of others."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node import session
from deploy.node.known_hosts import pin, pinned
from deploy.project import Project
from deploy.rehearse import nodes
from deploy.settings.model import Settings
from rehearsal import lifecycle
from rehearsal.node import NodeStatus

ADDRESS = "198.18.0.6"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeyxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An operator's folder, with its pinned hosts in a place of its own."""
    settings = Settings.model_validate(
        {
            "PROJECT": "shop",
            "IMAGE": "localhost/shop:1",
            "CERT_NAMES": "shop.example.org",
            "TLS": "app",
            "NODE_ADDRESS": "rehearsal",
            "KNOWN_HOSTS": "pins/hosts",
        }
    )
    return Project(tmp_path, settings)


def status(owner: Path | None, *, port: int = 22) -> NodeStatus:
    return NodeStatus("shop", "running", ADDRESS, port, "boot", Path("/tree"), owner)


@pytest.mark.parametrize("port", [22, 2222])
def test_a_removed_node_is_forgotten_in_the_file_that_the_settings_name(
    project: Project, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(project.known_hosts, ADDRESS, port, (KEY,))
    pin(project.known_hosts, "192.0.2.1", 22, (KEY,))
    monkeypatch.setattr(lifecycle, "down", lambda name, owner: status(owner, port=port))

    nodes.down(project, "shop")

    assert pinned(project.known_hosts, ADDRESS, port) == ()
    assert pinned(project.known_hosts, "192.0.2.1", 22) == (KEY,)


def test_all_that_were_removed_are_forgotten_and_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(project.known_hosts, ADDRESS, 22, (KEY,))
    monkeypatch.setattr(lifecycle, "down_all", lambda owner: (status(owner),))

    nodes.down_all(project)

    assert pinned(project.known_hosts, ADDRESS, 22) == ()
    assert "nodes gone: shop" in capsys.readouterr().out


def test_a_refusal_leaves_the_pinned_keys(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, owner: Path) -> None:
        raise DeployError("rehearsal node shop belongs to /elsewhere")

    pin(project.known_hosts, ADDRESS, 22, (KEY,))
    monkeypatch.setattr(lifecycle, "down", refuse)

    with pytest.raises(DeployError):
        nodes.down(project, "shop")

    assert pinned(project.known_hosts, ADDRESS, 22) == (KEY,)


def test_the_list_of_nodes_says_whose_each_is(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (status(project.folder), status(Path("/srv/blog")), status(None))
    monkeypatch.setattr(lifecycle, "status", lambda: found)

    nodes.status(project.folder, as_json=False)
    said = capsys.readouterr().out
    nodes.status(project.folder, as_json=True)
    folders = [one["folder"] for one in json.loads(capsys.readouterr().out)["nodes"]]

    assert folders == [str(project.folder), "/srv/blog", None]
    assert all(words in said for words in ("this one", "/srv/blog", "none: any folder"))


def test_no_command_goes_to_the_node_of_another_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "status", lambda: (status(Path("/srv/blog")),))

    with pytest.raises(DeployError, match="belongs to /srv/blog") as raised:
        session.target(project)

    assert "set another PROJECT" in raised.value.hint


@pytest.mark.parametrize("owned", ["this folder", "no folder"])
def test_commands_go_to_the_folders_own_node_and_to_one_without_a_folder(
    project: Project, owned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = status(project.folder if owned == "this folder" else None)
    monkeypatch.setattr(lifecycle, "status", lambda: (found,))

    assert session.target(project).host == ADDRESS
