"""A bundle lists what a machine has, and what an earlier one had and it has not."""

import gzip
import io
import json
import tarfile

import pytest

from deploy.bundle.plan.content import (
    Author,
    Configuration,
    Contents,
    bundle,
    configuration_files,
    not_brought,
    read_bundle,
)
from deploy.bundle.plan.node_command import NodeCommand
from deploy.errors import DeployError
from deploy.node.file import File
from deploy.spec.plan.machine import Machine, Person, Place

ANN = Person("ann", ("wheel",), ("ssh-ed25519 AAAA ann",))
MOTD = Place("/etc/motd", "file", "644", content=b"hello\n")
CONF = Place("/etc/sysctl.d/90.conf", "file", "644", content=b"")
LINK = Place("/etc/localtime", "link", target="../usr/share/zoneinfo/UTC")
FOLDER = Place("/var/lib/x", "folder", "755", "ann:ann")
FETCHED = Place("/opt/tool", "file", "755", content=None)


def machine(*places: Place, enabled: tuple[str, ...] = (), layout: str = "") -> Machine:
    return Machine(places, (ANN,), enabled, (), layout)


def acts(target: Machine, *earlier: Machine) -> list[str]:
    first, *_ = configuration_files(target, earlier)
    assert first.path == "acts"
    return first.content.decode().splitlines()


def test_each_place_person_and_unit_is_an_act_with_what_must_follow() -> None:
    found = acts(machine(MOTD, CONF, LINK, FOLDER, FETCHED, enabled=("a.timer",)))

    assert found == [
        "file|/etc/motd|644|root:root||",
        "file|/etc/sysctl.d/90.conf|644|root:root||sysctl:",
        "link|/etc/localtime|||../usr/share/zoneinfo/UTC|",
        "folder|/var/lib/x|755|ann:ann||",
        "keys|ann||||",
        "enable|a.timer||||",
    ]


def test_what_an_earlier_machine_had_is_removed_once() -> None:
    gone = machine(MOTD, CONF, enabled=("old.timer", "a.timer"))

    found = acts(machine(MOTD, enabled=("a.timer",)), gone, gone)

    assert found[-2:] == ["remove|/etc/sysctl.d/90.conf||||sysctl:", "disable|old.timer||||"]
    assert len(found) == 5


def test_what_mounts_a_file_system_comes_and_goes_with_it_alone() -> None:
    layout = '{"filesystems": [{"device": "/dev/data", "path": "/data"}]}'
    text = b"[Mount]\nWhere=/data\nWhat=/dev/data\nType=xfs\n"
    unit = Place("/etc/systemd/system/data.mount", "file", "644", content=text)
    mounted = machine(MOTD, unit, enabled=("data.mount",), layout=layout)

    assert acts(mounted) == acts(machine(MOTD))
    assert acts(machine(MOTD), mounted) == acts(machine(MOTD))


def test_contents_and_keys_are_files_for_root_alone() -> None:
    _, *files = configuration_files(machine(MOTD), ())

    assert files == [
        File("new/etc/motd", b"hello\n", 0o600),
        File("keys/ann", b"ssh-ed25519 AAAA ann\n", 0o600),
    ]


@pytest.mark.parametrize("path", ["/etc/a|b", "/etc/a\nb", "/etc/ä", "/etc/\x1b[2J"])
def test_a_path_that_a_node_would_refuse_is_refused_here(path: str) -> None:
    with pytest.raises(DeployError, match="printable ASCII"):
        configuration_files(machine(Place(path, "file", "644")), ())


def made(*files: File) -> Contents:
    author = Author("ann", "c0ffee", dirty=True)
    command = NodeCommand(8, 99, ("restart", "shop-www"), "bob")
    return Contents(Configuration(7, "a" * 64, ("b" * 64,), author, files), (command,))


def test_a_bundle_names_its_node_its_serial_and_the_specs_that_it_is_for() -> None:
    packed = bundle("shop1", 9, made(File("acts", b"x\n", 0o600)))

    assert packed == bundle("shop1", 9, made(File("acts", b"x\n", 0o600)))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        names = archive.getnames()
        head = archive.extractfile("bundle.json")
        assert head
        found = json.load(head)
    assert names == ["bundle.json", "acts"]
    assert found == {
        "schema_version": 1,
        "node": "shop1",
        "serial": 9,
        "files": {
            "serial": 7,
            "spec": "a" * 64,
            "for": ["b" * 64],
            "who": "ann",
            "commit": "c0ffee",
            "dirty": True,
        },
        "commands": [
            {
                "serial": 8,
                "expires": 99,
                "node": "shop1",
                "words": ["restart", "shop-www"],
                "who": "bob",
            }
        ],
    }


def test_what_was_packed_is_read() -> None:
    contents = made(File("acts", b"x\n", 0o600), File("new/a", b"1", 0o600))

    assert read_bundle(bundle("shop1", 9, contents)) == contents
    assert read_bundle(bundle("shop1", 9, Contents())) == Contents()
    secret = File("secrets/shop-www/token.cms", b"2", 0o600)
    sealed = Contents(secrets=(secret,))
    assert read_bundle(bundle("shop1", 9, sealed)) == sealed
    both = contents.with_secrets([secret], app="shop-www", known={"token"})
    assert read_bundle(bundle("shop1", 9, both)).secrets == (secret,)


NO_BUNDLES = {
    "empty": b"",
    "no gzip": b"x",
    "no file": gzip.compress(b""),
    "no tar": gzip.compress(b"x" * 2000),
}


@pytest.mark.parametrize("packed", NO_BUNDLES.values(), ids=NO_BUNDLES)
def test_what_is_no_bundle_is_not_read(packed: bytes) -> None:
    with pytest.raises(DeployError):
        read_bundle(packed)


def test_what_a_node_would_refuse_for_its_size_is_refused_here() -> None:
    with pytest.raises(DeployError, match="more than a node takes"):
        bundle("shop1", 9, made(File("new/big", bytes(17 << 20))))


def test_what_only_a_machine_made_again_gets_is_named() -> None:
    target = machine(MOTD, layout="{}")

    assert not_brought(target, [target]) == ()
    assert not_brought(target, [machine(), machine()]) == ("disks and file systems",)
    moved = Machine((MOTD,), (Person("bob", (), ()),), (), ("quiet",), "{}", {"/x": "y"})
    assert not_brought(target, [moved]) == (
        "kernel arguments",
        "users",
        "what only a first boot makes",
    )
