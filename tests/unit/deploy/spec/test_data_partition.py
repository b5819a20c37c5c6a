"""A data partition is declared so that it is made once and kept ever after."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.settings.load import SettingsError, read_settings
from deploy.spec.prepare import prepare
from tests.root import ROOT
from tests.unit.deploy.examples import settings

TEMPLATES = ROOT / "butane/templates"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me@here"


@pytest.fixture
def storage(tmp_path: Path) -> Callable[..., dict[str, list[dict[str, object]]]]:
    """Prepare a spec with some settings; give back what it says of storage."""
    shutil.copytree(TEMPLATES, tmp_path / "butane/templates")
    (tmp_path / "butane/overlays").mkdir()
    (tmp_path / "me.pub").write_text(f"{KEY}\n")

    def made(**values: str) -> dict[str, list[dict[str, object]]]:
        whole = json.loads(
            prepare(Project(tmp_path, settings(SSH_KEYS="me.pub", **values))).read_text()
        )
        found: dict[str, list[dict[str, object]]] = whole["storage"]
        units = [one["name"] for one in whole["systemd"]["units"]]
        mounted = "var-lib-shop\\x2dwww-data.mount" in units
        assert mounted == bool(values.get("DATA_PARTITION"))
        return found

    return made


def test_without_a_data_partition_the_spec_has_no_disks(
    storage: Callable[..., dict[str, list[dict[str, object]]]],
) -> None:
    assert storage().keys() & {"disks", "filesystems"} == set()


def test_on_the_boot_disk_it_follows_a_root_of_fixed_size(
    storage: Callable[..., dict[str, list[dict[str, object]]]],
) -> None:
    found = storage(DATA_PARTITION="shop-data", ROOT_MEGABYTES="9000", DATA_MEGABYTES="500")

    assert found["disks"] == [
        {
            "device": "/dev/disk/by-id/coreos-boot-disk",
            "partitions": [
                {"label": "root", "number": 4, "resize": True, "sizeMiB": 9000},
                {"label": "shop-data", "number": 5, "sizeMiB": 500},
            ],
        }
    ]


def test_its_file_system_is_never_wiped(
    storage: Callable[..., dict[str, list[dict[str, object]]]],
) -> None:
    assert storage(DATA_PARTITION="shop-data")["filesystems"] == [
        {
            "device": "/dev/disk/by-partlabel/shop-data",
            "format": "xfs",
            "label": "shop-data",
            "path": "/var/lib/shop-www/data",
            "wipeFilesystem": False,
        }
    ]


def test_on_a_disk_of_its_own_the_root_partition_is_not_changed(
    storage: Callable[..., dict[str, list[dict[str, object]]]],
) -> None:
    found = storage(DATA_PARTITION="shop-data", DATA_DISK="/dev/disk/by-id/acme")

    assert found["disks"] == [
        {
            "device": "/dev/disk/by-id/acme",
            "partitions": [{"label": "shop-data", "number": 1, "sizeMiB": 0}],
        }
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATA_PARTITION", "root"),
        ("DATA_PARTITION", "longer-than-xfs-takes"),
        ("DATA_DISK", "sdb"),
        ("ROOT_MEGABYTES", "4096"),
    ],
)
def test_a_value_that_cannot_work_is_refused(tmp_path: Path, key: str, value: str) -> None:
    text = "PROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\n"
    (tmp_path / ".env").write_text(f"{text}{key}={value}\n")

    with pytest.raises(SettingsError, match=key):
        read_settings(tmp_path)
