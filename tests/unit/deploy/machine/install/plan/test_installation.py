"""What `fab install` would do to a machine, and every reason not to."""

import json
from dataclasses import replace
from typing import Any

import pytest

from deploy.errors import DeployError
from deploy.machine.install.plan.ignition import HOST_KEY, login, with_host_key
from deploy.machine.install.plan.installation import (
    Written,
    chosen,
    problems_of,
    refusals,
)
from deploy.machine.install.plan.live_facts import Disk, LiveFacts, Use, read_disks
from deploy.machine.install.plan.options import Installation

CONFIG = json.dumps({"ignition": {"version": "3.3.0"}}).encode()
SDA = Disk(
    "/dev/sda",
    100_000_000_000,
    "ACME",
    "S1",
    "sata",
    read_only=False,
    contents=(),
    used_by=(),
    labels=(),
)
FACTS = LiveFacts(
    boot_id="b1",
    system="Fedora CoreOS",
    is_installing=False,
    installer="0.27.0",
    ignition="2.26.0",
    memory_free=1 << 30,
    keyfiles=(),
    fixed_addresses=(),
    disks=(SDA,),
    device="/dev/sda",
)
WANTED = Installation("/dev/sda")


def reasons(wanted: Installation = WANTED, **facts: Any) -> list[str]:
    return [reason for reason, _ in refusals(wanted, FACTS.model_copy(update=facts), CONFIG)]


def test_the_command_is_the_installers_own_with_the_configs_hash() -> None:
    wanted = Installation(
        "/dev/sda",
        copy_network=True,
        console=("ttyS0,115200", "tty0"),
        append_karg=("mitigations=auto",),
        save_partlabel=("data*",),
        installer_option=("--stream=next",),
    )

    assert wanted.argv("/dev/sda", "ab") == (
        *("coreos-installer", "install", "/dev/sda"),
        *("--ignition-file=/run/corefab-install/config.ign", "--ignition-hash=sha256-ab"),
        *("--copy-network", "--console=ttyS0,115200", "--console=tty0"),
        *("--append-karg=mitigations=auto", "--save-partlabel=data*", "--stream=next"),
    )


def test_an_empty_disk_of_a_machine_with_dhcp_is_installed_to() -> None:
    assert reasons() == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"installer": ""}, "Fedora CoreOS has no coreos-installer"),
        ({"is_installing": True}, "an installation is running on this machine"),
        ({"memory_free": 100}, "0 MiB of memory are free in the live system"),
        ({"device": "/dev/sdb"}, "/dev/sda is not a disk of this machine"),
        ({"disks": ()}, "/dev/sda is not a disk of this machine"),
        ({"disks": (replace(SDA, read_only=True),)}, "/dev/sda is read-only"),
        (
            {
                "disks": (
                    replace(
                        SDA, used_by=(Use("/dev/sda1 is mounted on /mnt", "sudo umount /mnt"),)
                    ),
                )
            },
            "/dev/sda is in use: /dev/sda1 is mounted on /mnt",
        ),
        (
            {"disks": (replace(SDA, size=4_000_000_000),)},
            "/dev/sda has 4.0 GB, Fedora CoreOS needs 10",
        ),
        (
            {"disks": (replace(SDA, contents=("root xfs",)),)},
            "/dev/sda holds data: root xfs",
        ),
        (
            {"ignition": "2.9.0"},
            "the Ignition file has spec version 3.3.0, "
            "the live system's Ignition 2.9.0 accepts up to 3.2.0",
        ),
    ],
)
def test_a_reason_not_to_install_is_named(facts: dict[str, Any], reason: str) -> None:
    assert reasons(**facts) == [reason]


def test_all_reasons_are_listed_at_once_each_with_a_remedy() -> None:
    changes = {"installer": "", "device": "", "fixed_addresses": ("192.0.2.7",)}

    found = refusals(WANTED, FACTS.model_copy(update=changes), CONFIG)

    assert len(found) == 3
    assert all(remedy for _, remedy in found)


@pytest.mark.parametrize("wipe", ["/dev/sda", "/dev/disk/by-id/acme"])
def test_a_disk_with_data_must_be_named_again(wipe: str) -> None:
    medium: dict[str, Any] = {"disks": (replace(SDA, contents=("root xfs",)),)}
    wanted = Installation("/dev/disk/by-id/acme", wipe=wipe)

    assert reasons(wanted, **medium) == []
    assert reasons(replace(wanted, wipe="/dev/sdb"), **medium) != []


@pytest.mark.parametrize(
    "said",
    [{"own_network": True}, {"append_karg": ("ip=192.0.2.7::192.0.2.1:24:::none",)}],
)
def test_an_address_set_by_hand_needs_a_network_option(said: dict[str, Any]) -> None:
    by_hand: dict[str, Any] = {"fixed_addresses": ("192.0.2.7",)}

    assert "was set by hand" in reasons(**by_hand)[0]
    assert reasons(replace(WANTED, **said), **by_hand) == []


def test_copying_the_network_needs_something_to_copy() -> None:
    wanted = replace(WANTED, copy_network=True)

    assert reasons(wanted) == [
        "--copy-network is given, but the live system has no network configuration to copy"
    ]
    assert reasons(wanted, keyfiles=("wired",), fixed_addresses=("192.0.2.7",)) == []


def test_an_unknown_ignition_version_is_not_a_reason() -> None:
    assert reasons(ignition="") == []


def test_a_link_is_followed_to_its_disk() -> None:
    assert chosen(FACTS) == SDA
    assert chosen(FACTS.model_copy(update={"device": ""})) is None


WRITTEN: dict[str, object] = {
    "sha256": "ab",
    "mode": "600",
    "first_boot": True,
    "options": "root=LABEL=root mitigations=auto console=ttyS0,115200n8",
}


def test_the_written_disk_is_compared_with_the_options() -> None:
    wanted = Installation(
        "/dev/sda",
        console=("ttyS0,115200",),
        append_karg=("mitigations=auto",),
        delete_karg=("quiet",),
    )

    assert problems_of(wanted, Written.model_validate(WRITTEN), "ab") == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sha256": "cd"}, "its Ignition file has the hash cd"),
        ({"mode": "644"}, "its Ignition file has the mode 644"),
        ({"first_boot": False}, "it would not run Ignition: /ignition.firstboot is missing"),
        ({"options": "quiet"}, "missing kernel arguments: mitigations=auto"),
        (
            {"options": "mitigations=auto nosmt"},
            "kernel arguments not removed: nosmt",
        ),
    ],
)
def test_a_difference_is_named(changes: dict[str, object], problem: str) -> None:
    wanted = Installation("/dev/sda", append_karg=("mitigations=auto",), delete_karg=("nosmt",))

    assert problems_of(wanted, Written.model_validate(WRITTEN | changes), "ab") == (problem,)


LSBLK = {
    "blockdevices": [
        {"path": "/dev/zram0", "type": "disk", "size": 4096},
        {"path": "/dev/sr0", "type": "rom", "size": 900},
        {"path": "/dev/loop0", "type": "loop", "size": 900, "ro": True, "fstype": "erofs"},
        {"path": "/dev/sdb", "type": "disk", "size": 64, "model": " ACME ", "tran": "usb"},
        {
            "path": "/dev/sda",
            "type": "disk",
            "size": 100,
            "pttype": "gpt",
            "children": [
                {"path": "/dev/sda1", "type": "part", "partlabel": "boot", "fstype": "ext4"},
                {
                    "path": "/dev/sda2",
                    "type": "part",
                    "partlabel": "data",
                    "mountpoints": [None],
                    "children": [
                        {"path": "/dev/mapper/x", "type": "crypt", "mountpoints": ["/mnt"]}
                    ],
                },
                {"path": "/dev/sda3", "type": "part", "fstype": "swap", "mountpoints": ["[SWAP]"]},
            ],
        },
    ]
}


def test_only_disks_that_can_be_installed_to_are_listed() -> None:
    assert [disk.path for disk in read_disks(LSBLK)] == ["/dev/sda", "/dev/sdb"]


def test_the_contents_and_users_of_a_disk_are_listed() -> None:
    sda, sdb = read_disks(LSBLK)

    assert sda.contents == ("gpt table", "boot ext4", "data", "/dev/mapper/x", "/dev/sda3 swap")
    assert [use.text for use in sda.used_by] == [
        "/dev/sda3 is swap",
        "/dev/mapper/x is mounted on /mnt",
        "/dev/sda2 is part of /dev/mapper/x (crypt)",
    ]
    assert sda.labels == ("boot", "data")
    assert (sdb.contents, sdb.model, sdb.link) == ((), "ACME", "usb")


@pytest.mark.parametrize(
    ("kind", "path", "command"),
    [
        ("lvm", "/dev/mapper/vg-root", "sudo lvchange --activate n /dev/mapper/vg-root"),
        ("raid1", "/dev/md127", "sudo mdadm --stop /dev/md127"),
        ("crypt", "/dev/mapper/luks", "sudo cryptsetup close luks"),
        ("linear", "/dev/mapper/x", "sudo dmsetup remove /dev/mapper/x"),
    ],
)
def test_a_disk_in_use_is_refused_with_the_commands_that_free_it_in_their_order(
    kind: str, path: str, command: str
) -> None:
    volume = {"path": path, "type": kind, "mountpoints": ["/mnt"]}
    part = {"path": "/dev/sda1", "type": "part", "children": [volume]}
    disk = {"path": "/dev/sda", "type": "disk", "size": 10**11, "children": [part, part]}
    facts = FACTS.model_copy(update={"disks": read_disks({"blockdevices": [disk]})})

    found = refusals(replace(WANTED, wipe="/dev/sda"), facts, CONFIG)

    assert [hint for _, hint in found] == [
        "on the live system: sudo umount /mnt; or choose another disk",
        f"on the live system: {command}; or choose another disk",
    ]


MAP = {"path": "/dev/mapper/mpatha", "kname": "dm-0", "type": "mpath", "size": 10**11}
PATHS: list[dict[str, Any]] = [
    {"path": f"/dev/{name}", "kname": name, "type": "disk", "size": 10**11, "children": [MAP]}
    for name in ("sda", "sdb")
]


@pytest.mark.parametrize("listed", [PATHS, [MAP, *PATHS]])
def test_a_multipath_disk_is_offered_and_its_members_are_not(listed: list[dict[str, Any]]) -> None:
    lonely = {"path": "/dev/sdc", "type": "disk", "size": 10**11, "fstype": "mpath_member"}

    (disk,) = read_disks({"blockdevices": [*listed, lonely]})

    assert (disk.path, disk.members) == ("/dev/mapper/mpatha", ("/dev/sda", "/dev/sdb"))


@pytest.mark.parametrize("device", ["/dev/dm-0", "/dev/mapper/mpatha"])
def test_a_multipath_disk_is_found_by_each_of_its_names_and_needs_its_arguments(
    device: str,
) -> None:
    changes: dict[str, Any] = {"disks": read_disks({"blockdevices": PATHS}), "device": device}

    assert reasons(replace(WANTED, append_karg=("rd.multipath=default",)), **changes) == []
    ((reason, hint),) = refusals(WANTED, FACTS.model_copy(update=changes), CONFIG)
    assert "would not put together" in reason
    assert "--append-karg rd.multipath=default" in hint


def test_a_member_of_a_multipath_disk_is_refused_with_the_disk_to_give() -> None:
    changes: dict[str, Any] = {"disks": read_disks({"blockdevices": PATHS}), "device": "/dev/sda"}

    ((reason, hint),) = refusals(WANTED, FACTS.model_copy(update=changes), CONFIG)

    assert "one of several ways to the multipath disk /dev/mapper/mpatha" in reason
    assert hint == "give that one: --device /dev/mapper/mpatha"


@pytest.mark.parametrize(
    ("ignition", "spec"),
    [
        ("2.26.0", (3, 6)),
        ("2.25.1", (3, 5)),
        ("2.14.0", (3, 3)),
        ("2.11.0", (3, 3)),
        ("2.0.1", (3, 0)),
        ("", None),
    ],
)
def test_the_newest_spec_follows_from_ignitions_release(
    ignition: str, spec: tuple[int, int] | None
) -> None:
    assert FACTS.model_copy(update={"ignition": ignition}).newest_spec == spec


def test_the_facts_of_a_live_system_are_read() -> None:
    said = {
        "boot_id": "b",
        "system": "S",
        "is_installing": False,
        "installer": "0.27.0",
        "ignition": "2.26.0",
        "memory_free": 5,
        "keyfiles": ["a"],
        "fixed_addresses": [],
        "disks": LSBLK,
        "device": "/dev/sda",
    }

    facts = LiveFacts.model_validate_json(json.dumps(said))

    assert (facts.keyfiles, facts.memory_free, len(facts.disks)) == (("a",), 5, 2)


def test_a_host_key_is_added_to_a_config_and_never_over_one() -> None:
    made = with_host_key(login("3.3.0", "core", ("ssh-ed25519 AAAA",)), b"private", "public")

    files = json.loads(made)["storage"]["files"]
    assert [(one["path"], one["mode"]) for one in files] == [
        (HOST_KEY, 0o600),
        (f"{HOST_KEY}.pub", 0o644),
    ]
    with pytest.raises(DeployError, match="contains /etc/ssh/ssh_host_ed25519_key"):
        with_host_key(made, b"other", "other")
