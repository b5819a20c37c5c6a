"""What is done everywhere is done once on each node that any instance names."""

from pathlib import Path

import pytest

from deploy.access.fleet import fleet
from deploy.errors import DeployError
from deploy.settings.model import KEYS
from deploy.settings.read import SettingsError, read_instances
from tests.plan.examples import settings

BASE = "PROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\nNODE_ADDRESS=one\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    (tmp_path / ".env").write_text(BASE)
    (tmp_path / ".env.example").write_text("PROJECT=other\n")
    return tmp_path


def test_every_settings_file_is_an_instance_and_the_example_is_none(folder: Path) -> None:
    (folder / ".env.staging").write_text("NAME=staging\n")
    (folder / ".env.far").write_text("NAME=far\nNODE_ADDRESS=two\n")

    assert [one.app for one in read_instances(folder)] == ["shop-www", "shop-far", "shop-staging"]


def test_a_broken_instance_stops_what_has_to_be_done_everywhere(folder: Path) -> None:
    (folder / ".env.staging").write_text("HTTPS_PORT=none\n")

    with pytest.raises(SettingsError, match=r"\.env\.staging:1"):
        read_instances(folder)


def test_instances_of_one_node_make_one_and_another_user_another(tmp_path: Path) -> None:
    instances = (
        settings(NODE_ADDRESS="one"),
        settings(NODE_ADDRESS="one", NAME="staging"),
        settings(NODE_ADDRESS="one", NODE_USER="ann"),
        settings(NODE_ADDRESS="two"),
    )

    found = fleet(tmp_path, instances, None)

    assert [(one.name, one.target.user) for one in found.nodes] == [
        ("one", "core"), ("one", "ann"), ("two", "core")
    ]  # fmt: skip


def test_an_instance_without_a_node_stops_it_too(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no node is named"):
        fleet(tmp_path, (settings(NODE_ADDRESS="one"), settings(NODE_ADDRESS="")), None)
