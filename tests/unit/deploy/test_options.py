"""Commands read the folder, the instance and the nodes in one way."""

from pathlib import Path

import fabric
import pytest
from fabric.connection import Connection
from invoke.config import Config
from invoke.context import Context

from deploy.errors import DeployError
from deploy.options import NO_PORT, NO_USER, file_of, hosts, project_of, projects_of, target
from deploy.settings.load import SettingsError
from deploy.settings.model import KEYS

BASE = (
    "PROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\nTLS=app\nNODE_ADDRESS=one\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    (tmp_path / ".env").write_text(BASE)
    (tmp_path / ".env.example").write_text("PROJECT=other\n")
    return tmp_path


def context(folder: Path) -> Context:
    return Context(Config(overrides={"folder": folder}))


def at_host(folder: Path, host: str) -> Connection:
    """Make the context that `fab -H host` gives a task."""
    given = {"folder": folder, "user": NO_USER, "port": NO_PORT, "load_ssh_configs": False}
    return Connection(host, config=fabric.Config(overrides=given))


def test_settings_come_from_the_folder_of_the_fabfile(folder: Path) -> None:
    project = project_of(context(folder), "")

    assert (project.folder, project.settings.app) == (folder, "shop-www")


def test_an_instance_is_chosen_by_its_name(folder: Path) -> None:
    (folder / ".env.staging").write_text("HTTPS_PORT=8444\n")

    assert project_of(context(folder), "staging").settings.app == "shop-staging"


def test_a_command_that_needs_few_settings_reads_no_others(folder: Path) -> None:
    (folder / ".env").write_text("PROJECT=shop\nHTTPS_PORT=none\n")

    assert project_of(context(folder), "", ("PROJECT",)).settings.project == "shop"


@pytest.mark.parametrize(
    ("host", "node"),
    [("three", ("three", None, "core")), ("ann@three:2222", ("three", 2222, "ann"))],
)
def test_a_host_points_an_instance_at_another_node(
    host: str, node: tuple[str, int | None, str], folder: Path
) -> None:
    settings = project_of(at_host(folder, host), "").settings

    assert (settings.node_address, settings.node_port, settings.node_user) == node


def test_without_a_host_the_settings_name_the_node(folder: Path) -> None:
    assert target(context(folder)) is None


def test_every_settings_file_but_the_example_is_an_instance(folder: Path) -> None:
    (folder / ".env.staging").write_text("NAME=staging\n")
    (folder / ".env.far").write_text("NAME=far\nNODE_ADDRESS=two\n")

    found = projects_of(context(folder), "", every=True)

    assert [one.settings.app for one in found] == ["shop-www", "shop-far", "shop-staging"]


def test_a_broken_instance_stops_a_command_for_every_instance(folder: Path) -> None:
    (folder / ".env.staging").write_text("HTTPS_PORT=none\n")

    with pytest.raises(SettingsError, match=r"\.env\.staging:1"):
        projects_of(context(folder), "", every=True)


def test_a_typed_file_counts_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")

    assert file_of("key.pub") == tmp_path / "key.pub"
    assert file_of("~/key.pub") == Path("/home/ann/key.pub")


def test_nodes_are_read_from_a_list() -> None:
    assert hosts("web1, core@web2:2222,admin@fd00::1") == [
        ("web1", None, None),
        ("web2", 2222, "core"),
        ("fd00::1", None, "admin"),
    ]
    assert hosts("") == []


@pytest.mark.parametrize("text", ["core@", "web1:ssh", ":22", "web1:0", "web1:65536", "web1,core@"])
def test_an_invalid_node_in_a_list_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="is not a node"):
        hosts(text)
