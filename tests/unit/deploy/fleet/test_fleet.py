"""A command for all nodes runs once on each node that an instance names."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.fleet.nodes import at_hosts, nodes
from deploy.project import Project
from tests.unit.deploy.examples import settings


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


def test_a_node_that_is_listed_twice_is_listed_once(tmp_path: Path) -> None:
    hosts = (("two", None, None), ("three", 2222, None), ("two", None, "core"))
    project = Project(tmp_path, settings(NODE_ADDRESS="one"))

    found = at_hosts(project, hosts)

    assert [one.settings.node_address for one in found] == ["two", "three"]
    assert at_hosts(project, ()) == ()
