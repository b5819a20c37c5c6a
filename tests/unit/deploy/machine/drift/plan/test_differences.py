"""Each difference is listed once: expected and found values, and what fixes it."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deploy.errors import DeployError
from deploy.machine.drift.plan.convergence import convergence, describe, payload
from deploy.machine.drift.plan.difference import Difference
from deploy.machine.drift.plan.inspection import (
    FoundContainer,
    FoundFile,
    FoundPerson,
    FoundPlace,
    Inspection,
)
from deploy.machine.drift.plan.machine_drift import differences, machine_drift
from deploy.machine.drift.plan.release_drift import release_drift
from deploy.node.answer import read_answer
from deploy.node.holdings import AuthorizedKey, SealedCredential
from deploy.spec.plan.machine import Machine, Place, read_machine
from tests.unit.deploy.examples import DESIRED, UNIT, manifest

APP = "shop-www"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnnxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ann@desk"
OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEvexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx eve@there"
)
SYSCTL = b"# why\nnet.ipv4.tcp_syncookies = 1\n"


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def data(content: bytes) -> dict[str, str]:
    return {"source": f"data:;base64,{base64.b64encode(content).decode()}"}


IGNITION = json.dumps(
    {
        "ignition": {"version": "3.3.0"},
        "kernelArguments": {"shouldExist": ["quiet"]},
        "passwd": {
            "users": [{"name": "core", "groups": ["wheel"], "sshAuthorizedKeys": [KEY]}],
        },
        "storage": {
            "directories": [
                {"path": "/var/lib/x", "user": {"name": "core"}, "group": {"id": 7}, "mode": 488}
            ],
            "files": [
                {"path": "/etc/sysctl.d/90.conf", "mode": 420, "contents": data(SYSCTL)},
                {"path": "/etc/issue", "append": [data(b"more")]},
            ],
            "links": [{"path": "/etc/localtime", "target": "../usr/share/zoneinfo/UTC"}],
        },
        "systemd": {
            "units": [
                {
                    "name": "a.service",
                    "enabled": True,
                    "contents": "[Unit]\n",
                    "dropins": [{"name": "b.conf", "contents": "[Service]\n"}],
                }
            ]
        },
    }
)
MACHINE = read_machine(IGNITION)


def place(machine: Machine, path: str, **changes: object) -> FoundPlace:
    one = next(one for one in machine.places if one.path == path)
    return FoundPlace.model_validate(
        {
            "kind": one.kind,
            "mode": one.mode or "777",
            "mtime": 10,
            "ctime": 20,
            "owner": one.owner.replace("7", "seven"),
            "target": one.target,
            "sha256": one.sha256 if one.kind == "file" else "",
        }
        | changes
    )


def found(**changes: object) -> Inspection:
    """Make the answer of an unchanged node."""
    unit = FoundPlace(
        kind="file",
        mode="644",
        owner="root:root",
        target="",
        mtime=moment(10),
        ctime=moment(20),
        sha256=UNIT.sha256,
    )
    whole = Inspection(
        clock=moment(1000),
        manifest=manifest(),
        staged={UNIT.path: "644"},
        claimed=frozenset({UNIT.path}),
        paths={one.path: place(MACHINE, one.path) for one in MACHINE.places} | {UNIT.path: unit},
        groups={"core": ("core", "wheel")},
        keys=(AuthorizedKey(user="core", file=IN_SPEC, age_seconds=10, line=KEY),),
        units={"a.service": "enabled"},
        sysctl={"net.ipv4.tcp_syncookies": "1"},
        firewall=(),
        strays={},
        credentials=(),
        files={
            "index.html": FoundFile(kind="f", mode="644", mtime=moment(10), target="", sha256="aa"),
        },
        people=(
            FoundPerson(name="core", uid=1000, login_shell="/bin/bash"),
            FoundPerson(name=APP, uid=23456, login_shell="/usr/sbin/nologin"),
            FoundPerson(name="root", uid=0, login_shell="/bin/bash"),
        ),
        containers=(
            FoundContainer(
                name=APP,
                image=DESIRED.image.id,
                state="running",
                created=moment(5),
                unit=f"{APP}.service",
            ),
        ),
        kernel_arguments=("quiet",),
    )
    return whole.model_copy(update=changes)


def sealed(name: str, *, opens: bool) -> SealedCredential:
    return SealedCredential(name=name, age_seconds=1, seal="", opens=opens)


IN_SPEC = "/home/core/.ssh/authorized_keys.d/ignition"


def with_place(path: str, **changes: object) -> Inspection:
    return found(paths=found().paths | {path: place(MACHINE, path, **changes)})


def values(
    findings: tuple[Difference, ...] | list[Difference],
) -> list[tuple[str, str, str, str, str]]:
    return [(one.what, one.subject, one.expected, one.found, one.remedy) for one in findings]


def test_a_machine_is_read_from_its_spec() -> None:
    kinds = {one.path: (one.kind, one.mode, one.owner) for one in MACHINE.places}

    assert kinds == {
        "/var/lib/x": ("folder", "750", "core:7"),
        "/etc/sysctl.d/90.conf": ("file", "644", "root:root"),
        "/etc/localtime": ("link", "", "root:root"),
        "/etc/systemd/system/a.service": ("file", "644", "root:root"),
        "/etc/systemd/system/a.service.d/b.conf": ("file", "644", "root:root"),
    }
    assert MACHINE.sysctl == {"net.ipv4.tcp_syncookies": "1"}
    assert MACHINE.enabled == ("a.service",)
    assert MACHINE.people[0].keys == (KEY,)


def test_an_unchanged_node_has_no_drift() -> None:
    assert machine_drift(MACHINE, found()) == ()
    assert list(release_drift(APP, found())) == []


@pytest.mark.parametrize(
    ("held", "finding"),
    [
        (
            with_place("/etc/sysctl.d/90.conf", mode="666"),
            ("mode", "/etc/sysctl.d/90.conf", "644", "666", "fab converge"),
        ),
        (
            with_place("/etc/sysctl.d/90.conf", owner="core:root"),
            ("owner", "/etc/sysctl.d/90.conf", "root:root", "core:root", "fab converge"),
        ),
        (
            with_place("/etc/sysctl.d/90.conf", kind="absent"),
            ("file", "/etc/sysctl.d/90.conf", "file", "absent", "fab converge"),
        ),
        (
            with_place("/etc/localtime", target="elsewhere"),
            (
                *("file", "/etc/localtime", "-> ../usr/share/zoneinfo/UTC", "-> elsewhere"),
                "fab converge",
            ),
        ),
        (
            found(units={"a.service": "masked"}),
            ("unit", "a.service", "enabled", "masked", "fab converge"),
        ),
        (
            found(sysctl={"net.ipv4.tcp_syncookies": "0"}),
            ("sysctl", "net.ipv4.tcp_syncookies", "1", "0", "fab converge"),
        ),
        (
            found(firewall=("- policy drop",)),
            ("firewall", "policy drop", "loaded", "missing", "fab converge"),
        ),
        (
            found(firewall=("+ tcp dport 1 accept",)),
            ("firewall", "tcp dport 1 accept", "absent", "loaded", "fab converge"),
        ),
        (
            found(firewall=("the table is not loaded",)),
            (
                *("firewall", "table inet corefab", "as its files say"),
                *("the table is not loaded", "fab converge"),
            ),
        ),
        (found(groups={}), ("user", "core", "a user", "absent", "reinstall")),
        (
            found(groups={"core": ("core",)}),
            ("user", "core", "in wheel", "in core", "by hand"),
        ),
        (found(keys=()), ("key", f"core: {KEY}", "may log in", "absent", "fab converge")),
        (
            found(
                keys=(
                    *found().keys,
                    AuthorizedKey(user="core", file=IN_SPEC, age_seconds=1, line=OTHER_KEY),
                )
            ),
            ("key", f"core: {OTHER_KEY}", "absent", f"in {IN_SPEC}", "fab converge"),
        ),
        (
            found(
                keys=(
                    *found().keys,
                    AuthorizedKey(user="core", file="/x", age_seconds=1, line=OTHER_KEY),
                )
            ),
            ("key", f"core: {OTHER_KEY}", "absent", "in /x", "by hand"),
        ),
        (
            found(
                keys=(
                    *found().keys,
                    AuthorizedKey(user="root", file=IN_SPEC, age_seconds=1, line=OTHER_KEY),
                )
            ),
            ("key", f"root: {OTHER_KEY}", "absent", f"in {IN_SPEC}", "by hand"),
        ),
        (
            found(people=(FoundPerson(name="eve", uid=1001, login_shell="/bin/bash"),)),
            ("user", "eve", "absent", "uid 1001, /bin/bash", "reinstall"),
        ),
        (
            found(kernel_arguments=()),
            ("kernel argument", "quiet", "set", "absent", "reinstall"),
        ),
    ],
)
def test_each_difference_from_the_spec_is_listed(
    held: Inspection, finding: tuple[str, str, str, str, str]
) -> None:
    assert values(machine_drift(MACHINE, held)) == [finding]


def test_the_comment_of_a_key_does_not_count() -> None:
    same = AuthorizedKey(
        user="core", file=IN_SPEC, age_seconds=1, line=KEY.replace("ann@desk", "other-comment")
    )

    assert machine_drift(MACHINE, found(keys=(same,))) == ()


PLAIN, OTHER = (line.rpartition(" ")[0] for line in (KEY, OTHER_KEY))


@pytest.mark.parametrize(
    "line",
    [
        # sshd takes the first key of a line; what follows is its comment.
        f"{OTHER} x {PLAIN} ann@desk",
        f"no-pty {OTHER} x {PLAIN}",
        OTHER.replace(" ", "\t"),
        f"\t {OTHER}",
        f"restrict,pty\t{OTHER}",
        f'command="a b" {OTHER}',
        f"cert-authority {PLAIN} ann@desk",
        f'command="reboot" {PLAIN} ann@desk',
        f"{OTHER}\0 # {PLAIN}",
    ],
)
def test_a_key_that_a_line_hides_behind_a_known_one_is_listed(line: str) -> None:
    planted = AuthorizedKey(user="core", file="/x", age_seconds=1, line=line)

    assert values(machine_drift(MACHINE, found(keys=(*found().keys, planted)))) == [
        ("key", f"core: {line}", "absent", "in /x", "by hand")
    ]


def test_a_key_without_the_expiry_of_the_spec_is_listed() -> None:
    limited = f'expiry-time="20991224Z" {KEY}'
    machine = replace(MACHINE, people=(replace(MACHINE.people[0], keys=(limited,)),))

    listed = values(machine_drift(machine, found()))

    assert ("key", f"core: {limited}", "may log in", "absent", "fab converge") in listed
    assert ("key", f"core: {KEY}", "absent", f"in {IN_SPEC}", "fab converge") in listed


def test_a_key_that_stands_in_two_files_is_listed_with_both() -> None:
    planted = [
        AuthorizedKey(user="core", file=file, age_seconds=1, line=OTHER_KEY)
        for file in (IN_SPEC, "/x")
    ]

    listed = values(machine_drift(MACHINE, found(keys=(*found().keys, *planted))))

    assert [(at, by) for _, _, _, at, by in listed] == [
        (f"in {IN_SPEC}", "fab converge"),
        ("in /x", "by hand"),
    ]


@pytest.mark.parametrize("line", ["ssh-ed25519", f'command="x {OTHER}', "AAAA", "it is a secret"])
def test_a_line_that_is_not_understood_is_listed_as_a_way_in(line: str) -> None:
    planted = AuthorizedKey(user="core", file="/x", age_seconds=1, line=line)

    ((_, subject, _, at, by),) = values(
        machine_drift(MACHINE, found(keys=(*found().keys, planted)))
    )

    assert (subject, by) == (f"core: {line}", "by hand")
    assert at == "in /x, not understood: it may let someone log in"


@pytest.mark.parametrize("line", ["", " \t", "# a comment", f"  # {OTHER}", "\r", f"\0{OTHER}"])
def test_a_line_that_sshd_ignores_is_no_drift(line: str) -> None:
    ignored = AuthorizedKey(user="core", file="/x", age_seconds=1, line=line)

    assert machine_drift(MACHINE, found(keys=(*found().keys, ignored))) == ()


def test_a_parameter_that_the_node_cannot_set_is_no_drift() -> None:
    assert machine_drift(MACHINE, found(sysctl={})) == ()


def test_a_file_that_the_machine_downloaded_is_compared_by_mode_and_owner_alone() -> None:
    path = "/etc/downloaded"
    one = Place(path, "file", "644", content=None)
    machine = replace(MACHINE, places=(one,))
    there = place(machine, path, sha256="0" * 64)

    assert machine_drift(machine, found(paths={path: there})) == ()
    changed = there.model_copy(update={"mode": "600"})
    assert values(machine_drift(machine, found(paths={path: changed}))) == [
        ("mode", path, "644", "600", "by hand")
    ]


def test_a_masked_unit_is_a_link_of_the_spec() -> None:
    unit = {"name": "a.service", "mask": True, "contents": "[Unit]\n"}
    masked = read_machine(json.dumps({"systemd": {"units": [unit]}}))

    (one,) = masked.places
    assert (one.path, one.kind, one.target) == (
        "/etc/systemd/system/a.service", "link", "/dev/null",
    )  # fmt: skip


@pytest.mark.parametrize(
    "storage",
    [
        {"files": [{"path": "/etc/x", "append": [data(b"more")]}]},
        {"files": [{"path": "/etc/x", "contents": {"source": "https://example.org/x"}}]},
        {"links": [{"path": "/etc/x", "target": "/etc/y", "hard": True}]},
    ],
)
def test_a_change_of_what_only_a_first_boot_makes_is_listed(storage: dict[str, object]) -> None:
    old = replace(MACHINE, places=())
    target = replace(old, first_boot=read_machine(json.dumps({"storage": storage})).first_boot)

    assert values(differences(target, old, found())) == [
        ("file", "/etc/x", "as the settings say", "as its old spec says", "by hand")
    ]
    assert differences(target, target, found()) == ()


def test_files_of_a_release_are_not_compared_with_the_spec() -> None:
    held = with_place("/etc/sysctl.d/90.conf", sha256="0" * 64)

    assert machine_drift(MACHINE, held)
    assert (
        machine_drift(MACHINE, held.model_copy(update={"claimed": {"/etc/sysctl.d/90.conf"}})) == ()
    )


def unit(**changes: object) -> Inspection:
    return found(
        paths=found().paths | {UNIT.path: found().paths[UNIT.path].model_copy(update=changes)}
    )


@pytest.mark.parametrize(
    ("held", "finding"),
    [
        (
            unit(sha256="f" * 64),
            ("file", UNIT.path, UNIT.sha256[:16], "f" * 16, "fab deploy"),
        ),
        (unit(kind="absent"), ("file", UNIT.path, UNIT.sha256[:16], "absent", "fab deploy")),
        (unit(mode="666"), ("mode", UNIT.path, "644", "666", "fab deploy")),
        (unit(owner="core:core"), ("owner", UNIT.path, "root:root", "core:core", "fab deploy")),
        (found(files={}), ("project file", "index.html", "aa", "absent", "fab deploy --force")),
        (
            found(
                files=found().files
                | {"l": FoundFile(kind="l", mode="777", mtime=moment(1), target="x y", sha256="")}
            ),
            ("project file", "l", "absent", "link x y", "fab deploy --force"),
        ),
        (
            found(
                credentials=(sealed("cert_pass", opens=False),),
                manifest=manifest(generations={"cert_pass": 1}),
            ),
            (
                "credential",
                "cert_pass",
                "opens on this node",
                "sealed elsewhere",
                "fab deploy",
            ),
        ),
        (
            found(manifest=manifest(generations={"cert_pass": 1})),
            ("credential", "cert_pass", "opens on this node", "absent", "fab deploy"),
        ),
        (
            found(credentials=(sealed("x", opens=True),)),
            ("credential", "x", "absent", "unknown", "by hand"),
        ),
        (
            found(strays={"/etc/systemd/system/shop-www.service.d/x.conf": moment(1)}),
            (
                *("unit", "/etc/systemd/system/shop-www.service.d/x.conf", "absent", "there"),
                "by hand",
            ),
        ),
        (
            found(
                containers=(
                    FoundContainer(
                        name="shop-www-debug",
                        image="",
                        state="running",
                        unit="",
                        created=moment(1),
                    ),
                )
            ),
            ("container", "shop-www-debug", "absent", "running, made by hand", "by hand"),
        ),
        (
            found(
                containers=(
                    found().containers[0].model_copy(update={"image": "sha256:" + "9" * 64}),
                )
            ),
            ("container", APP, "1" * 12, "9" * 12, "fab deploy --force"),
        ),
    ],
)
def test_each_difference_from_the_release_is_listed(
    held: Inspection, finding: tuple[str, str, str, str, str]
) -> None:
    assert values(list(release_drift(APP, held))) == [finding]


def test_another_apps_container_is_not_compared_even_when_its_name_begins_alike() -> None:
    other = (
        found()
        .containers[0]
        .model_copy(
            update={
                "name": "shop-www-x-blue",
                "unit": "shop-www-x-blue.service",
                "image": "sha256:9",
            }
        )
    )
    claimed = found().claimed | {"/etc/containers/systemd/shop-www-x-blue.container"}

    assert list(release_drift(APP, found(containers=(other,), claimed=claimed))) == []


def test_without_a_release_there_is_no_release_drift() -> None:
    assert list(release_drift(APP, found(manifest=None, files={}))) == []


def test_since_is_the_time_of_the_content_or_of_the_mode() -> None:
    (content,) = machine_drift(MACHINE, with_place("/etc/sysctl.d/90.conf", sha256="0" * 64))
    (mode,) = machine_drift(MACHINE, with_place("/etc/sysctl.d/90.conf", mode="600"))

    assert content.since is not None
    assert mode.since is not None
    assert (content.since.timestamp(), mode.since.timestamp()) == (10, 20)


def test_a_convergence_does_each_act_once_in_an_order_that_works() -> None:
    held = found(
        paths=found().paths
        | {
            path: place(MACHINE, path, kind="absent")
            for path in (
                *("/etc/systemd/system/a.service", "/var/lib/x", "/etc/localtime"),
                "/etc/sysctl.d/90.conf",
            )
        },
        sysctl={"net.ipv4.tcp_syncookies": "0"},
        keys=(),
        units={},
        firewall=("- a", "- b"),
        kernel_arguments=(),
    )
    plan = convergence("web1", ("m", "n"), MACHINE, differences(MACHINE, None, held))

    assert [act.word for act in plan.acts] == [
        *("folder", "file", "file", "link", "keys", "daemon-reload", "enable", "firewall", "sysctl")
    ]
    assert [one.what for one in plan.left] == ["kernel argument"]
    files = {file.path: file.content for file in payload(plan, MACHINE)}
    assert files["new/etc/sysctl.d/90.conf"] == SYSCTL
    assert files["keys/core"] == f"{KEY}\n".encode()
    assert files["acts"].decode().splitlines()[0] == "folder\t/var/lib/x\t750\tcore:7\t"
    text = "\n".join(describe(plan))
    assert "  file /etc/sysctl.d/90.conf: absent -> file" in text
    assert (
        "not fixed by this command: kernel argument quiet: absent, not set (fix with: reinstall)"
        in text
    )


def test_what_only_the_old_spec_brought_is_removed() -> None:
    fewer = replace(
        MACHINE,
        places=tuple(one for one in MACHINE.places if one.path != "/etc/sysctl.d/90.conf"),
        enabled=(),
        layout='{"disks": []}',
    )
    held = found()
    plan = convergence("web1", ("m", "n"), fewer, differences(fewer, MACHINE, held))

    assert [str(act) for act in plan.acts] == [
        *("disable a.service", "remove /etc/sysctl.d/90.conf", "sysctl")
    ]
    assert [(one.what, one.remedy) for one in plan.left] == [("disk", "reinstall")]


def test_a_node_that_matches_its_spec_needs_no_act() -> None:
    plan = convergence("web1", ("m", "m"), MACHINE, differences(MACHINE, MACHINE, found()))

    assert not plan
    assert list(describe(plan)) == ["nothing to do: web1 matches its machine spec"]


def test_an_answer_that_cannot_be_read_names_the_place() -> None:
    assert read_answer(Inspection, found().model_dump_json(), "the inspection") == found()
    with pytest.raises(DeployError, match="cannot be read at clock"):
        read_answer(Inspection, "{}", "the inspection")
