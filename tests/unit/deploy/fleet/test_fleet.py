"""A command for all nodes runs once on each node that an instance names."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.fleet.nodes import at_hosts, every_instance, nodes, one_instance
from deploy.project import Project
from deploy.settings.load import SettingsError
from deploy.settings.model import KEYS
from tests.unit.deploy.examples import settings

BASE = "PROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\nNODE_ADDRESS=one\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    (tmp_path / ".env").write_text(BASE)
    (tmp_path / ".env.example").write_text("PROJECT=other\n")
    return tmp_path


def test_every_settings_file_but_the_example_is_an_instance(folder: Path) -> None:
    (folder / ".env.staging").write_text("NAME=staging\n")
    (folder / ".env.far").write_text("NAME=far\nNODE_ADDRESS=two\n")

    assert [one.settings.app for one in every_instance(folder)] == [
        "shop-www",
        "shop-far",
        "shop-staging",
    ]


def test_a_broken_instance_stops_a_command_for_all_instances(folder: Path) -> None:
    (folder / ".env.staging").write_text("HTTPS_PORT=none\n")

    with pytest.raises(SettingsError, match=r"\.env\.staging:1"):
        every_instance(folder)


def test_instances_are_grouped_by_node_and_user(tmp_path: Path) -> None:
    instances = [
        Project(tmp_path, settings(NODE_ADDRESS="one")),
        Project(tmp_path, settings(NODE_ADDRESS="one", NAME="staging")),
        Project(tmp_path, settings(NODE_ADDRESS="one", NODE_USER="ann")),
        Project(tmp_path, settings(NODE_ADDRESS="two")),
    ]

    found = nodes(instances)

    assert [(one.name, one.target.user) for one in found] == [
        ("one", "core"), ("one", "ann"), ("two", "core")
    ]  # fmt: skip
    assert found[0].projects == tuple(instances[:2])


def test_an_instance_without_a_node_stops_a_command_for_all_nodes(tmp_path: Path) -> None:
    without = Project(tmp_path, settings(NODE_ADDRESS=""))

    with pytest.raises(DeployError, match="no node is named"):
        nodes((Project(tmp_path, settings(NODE_ADDRESS="one")), without))


def test_a_host_points_an_instance_at_another_node(folder: Path) -> None:
    here = one_instance(folder, "", None)
    there = one_instance(folder, "", ("three", 2222, "ann"))

    assert [(one.name, one.target.port, one.target.user) for one in nodes((here, there))] == [
        ("one", None, "core"), ("three", 2222, "ann")
    ]  # fmt: skip


def test_a_node_that_is_listed_twice_is_listed_once(folder: Path) -> None:
    hosts = (("two", None, None), ("three", 2222, None), ("two", None, "core"))

    found = at_hosts(one_instance(folder, "", None), hosts)

    assert [one.settings.node_address for one in found] == ["two", "three"]
    assert at_hosts(one_instance(folder, "", None), ()) == ()
