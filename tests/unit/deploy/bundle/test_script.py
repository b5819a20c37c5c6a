"""What a node unpacks and refuses of a bundle, by the functions of its script."""

import gzip
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.envelope import KIND, make_envelope, read_certificates, self_signed
from certs.keyfile import new_key
from deploy.node.script import script_text

pytestmark = pytest.mark.program
SPEC = "a" * 64
HEAD: dict[str, object] = {
    "schema_version": 1,
    "node": "shop1",
    "serial": 9,
    "files": {"serial": 9, "spec": SPEC, "for": [SPEC]},
}
COMMAND: dict[str, object] = {
    "serial": 5,
    "expires": 2**40,
    "node": "shop1",
    "words": ["reboot"],
    "who": "ann",
}
KEY = "ssh-ed25519 " + "A" * 68
# Stand-ins for what the rest of a run has; `obey` only says what it was told.
RUN = """
work=. command=0 result=applied tries=0 serial=1 files=1; mkdir -p bundle; mv bundle.json bundle/
setting() { echo shop1; }; audit() { echo "$1" >>audit; }; keep() { cat >"$1"; }
obey() { jq .command state.json >noted; echo "told $*" >>told; [ "$1" != hold ]; }
"""
ACTS = (
    "file|/etc/a b|644|root:root||sysusers: restart:a@b.service\n"
    "folder|/var/x|1777|0:ann||\n"
    "link|/etc/l|||../usr/x|\n"
    "remove|/etc/systemd/system/dev-a\\x2db.mount||||daemon-reload:\n"
    "keys|core||||\n"
    "enable|dev-a\\x2db.mount||||\n"
    "disable|b.timer||||\n"
)


@pytest.fixture
def run(tmp_path: Path, program: Callable[[str], str]) -> Callable[[str], str]:
    """Run functions of the script, whose `end` only says how it ends."""
    text = script_text("bundle")
    found = re.findall(r"^\w+\(\) \{(?:.*\}$|\n(?:.*\n)*?^\}$)", text, re.MULTILINE)
    functions = "\n".join(one for one in found if not one.startswith("end() {"))

    def started(script: str) -> str:
        head = "set -euo pipefail; export LC_ALL=C; schema_version=1; reference=r\n"
        end = 'end() { echo "$@"; exit 0; }\n'
        words = [program("bash"), "-c", f"{head}{functions}\n{end}{script}"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return started


def packed(*entries: tarfile.TarInfo | str, content: bytes = b"x") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for one in entries:
            entry = tarfile.TarInfo(one) if isinstance(one, str) else one
            if entry.isfile():
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue())


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_files_in_their_places_are_unpacked_for_root_alone(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    long = f"new/etc/{'long/' * 40}name"
    (tmp_path / "layer").write_bytes(
        packed("bundle.json", "acts", "new/etc/a b", "new/etc/dev-a\\x2db.mount", long, "keys/core")
    )

    assert run("unpack layer there") == ""

    assert (tmp_path / "there/new/etc/a b").read_bytes() == b"x"
    assert (tmp_path / "there/new/etc/dev-a\\x2db.mount").exists()
    assert (tmp_path / "there" / long).exists()
    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "there/keys/core").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (("../out",), "wrong place"),
        (("/out",), "wrong place"),
        (("new/../../out",), "wrong place"),
        (("new/a/..",), "wrong place"),
        (("new/./a",), "wrong place"),
        (("new/a\nb",), "wrong place"),
        (("new/a\x1b[2J",), "wrong place"),
        (("new/a\\nb\u00e4",), "wrong place"),
        (("other",), "wrong place"),
        (("secrets/shop-www/a/b.cms",), "wrong place"),
        (("secrets/shop-www/../b.cms",), "wrong place"),
        (("secrets/shop-www/a.txt",), "wrong place"),
        (("secrets/.a/a.cms",), "wrong place"),
        (("bundle.json/a",), "wrong place"),
        (("new/a", "new/a"), "a file twice"),
        ((entry("new/a", tarfile.SYMTYPE, "/etc"), "new/a/b"), "something else than files"),
        (("new/a", entry("new/b", tarfile.LNKTYPE, "new/a")), "something else than files"),
        ((entry("new/a", tarfile.CHRTYPE),), "something else than files"),
        ((entry("new/a", tarfile.FIFOTYPE),), "something else than files"),
        ((entry("new/a", tarfile.DIRTYPE),), "something else than files"),
        (("new/a", "new/a/b"), "cannot be unpacked"),
        (tuple(f"new/{number}" for number in range(5001)), "more than 5000 files"),
    ],
)
def test_what_lies_out_of_place_is_refused_and_nothing_is_written(
    tmp_path: Path,
    run: Callable[[str], str],
    entries: tuple[tarfile.TarInfo | str, ...],
    why: str,
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "layer").write_bytes(packed(*entries))

    said = run("unpack below/layer below/there")

    assert said.startswith("refused the bundle cannot be unpacked")
    assert why in said
    assert [one.name for one in tmp_path.iterdir()] == ["below"]


@pytest.mark.parametrize("content", [bytes(17 << 20), bytes(64 << 20)])
def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, run: Callable[[str], str], content: bytes
) -> None:
    (tmp_path / "layer").write_bytes(packed("new/a", content=content))

    assert run("unpack layer there") == "refused the bundle is larger than 16777216 bytes"


NO_BUNDLES = {"empty": b"", "no gzip": b"no gzip", "no tar": gzip.compress(b"no tar" * 200)}


@pytest.mark.parametrize("layer", NO_BUNDLES.values(), ids=NO_BUNDLES)
def test_what_is_no_bundle_is_refused(
    tmp_path: Path, run: Callable[[str], str], layer: bytes
) -> None:
    (tmp_path / "layer").write_bytes(layer)

    said = run("unpack layer there && check_bundle there shop1")

    assert said.startswith("refused the bundle ")


def test_half_a_bundle_is_refused(tmp_path: Path, run: Callable[[str], str]) -> None:
    (tmp_path / "layer").write_bytes(packed("new/a", content=bytes(100_000))[:-40])

    assert run("unpack layer there").startswith("refused the bundle cannot be unpacked")


def write(folder: Path, head: dict[str, object], acts: str = ACTS) -> None:
    (folder / "bundle.json").write_text(json.dumps(head))
    (folder / "acts").write_text(acts)


def test_a_bundle_for_this_node_is_understood(tmp_path: Path, run: Callable[[str], str]) -> None:
    write(tmp_path, HEAD)

    assert run("check_bundle . shop1") == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema_version": 2}, "schema version 2, and this node knows 1"),
        ({"schema_version": "1"}, "schema version none"),
        ({"node": "shop2"}, 'for node "shop2", and this is shop1'),
        ({"node": "shop1\n\x1b[2J"}, r'for node "shop1\n\u001b[2J"'),
        ({"node": None}, "for node null"),
        ({"serial": 0}, "not understood"),
        ({"serial": 1.5}, "not understood"),
        ({"serial": "9"}, "not understood"),
        ({"serial": 2**53}, "not understood"),
        ({"files": {"serial": 9, "spec": "x", "for": []}}, "not understood"),
        ({"files": {"serial": 9, "spec": SPEC, "for": ["$(id)"]}}, "not understood"),
        ({"files": {"serial": 9, "spec": SPEC, "for": SPEC}}, "not understood"),
        ({"files": 1}, "not understood"),
        ({"commands": {}}, "not understood"),
        ({"commands": [{"serial": 1, "expires": 1, "node": "n", "words": []}]}, "not understood"),
        ({"commands": [COMMAND | {"words": ["a b"]}]}, "not understood"),
        ({"commands": [COMMAND | {"words": ["a\n"]}]}, "not understood"),
        ({"commands": [COMMAND | {"words": ["$(id)"]}]}, "not understood"),
        ({"commands": [COMMAND | {"words": ["*"]}]}, "not understood"),
        ({"commands": [COMMAND | {"node": "a\tb"}]}, "not understood"),
        ({"commands": [COMMAND] * 65}, "not understood"),
    ],
)
def test_a_bundle_for_another_node_or_of_another_form_is_refused(
    tmp_path: Path, run: Callable[[str], str], change: dict[str, object], why: str
) -> None:
    write(tmp_path, HEAD | change)

    said = run("check_bundle . shop1")

    assert said.startswith("refused ")
    assert why in said


@pytest.mark.parametrize(
    "act",
    [
        "run|/bin/sh||||",
        "file|etc/a|644|root:root||",
        "file|/etc/../a|644|root:root||",
        "file|/etc/./a|644|root:root||",
        "file|/etc//a|644|root:root||",
        "file|/etc/..|644|root:root||",
        "file|/etc/a|9|root:root||",
        "file|/etc/a|644|root||",
        "file|/etc/a|644|root:root|x|",
        "file|/etc/a|644|root:root||sh:",
        "file|/etc/a|644|root:root||restart:a b",
        "file|/etc/a|644|root:root|||",
        "link|/etc/a||||",
        "keys|../root||||",
        "enable|$(id)||||",
        "enable|a;b||||",
        "file|/etc/a\tb|644|root:root||",
        "file|/etc/\x1b[2J|644|root:root||",
        "",
    ],
)
def test_an_act_that_no_bundle_may_have_is_named(
    tmp_path: Path, run: Callable[[str], str], act: str
) -> None:
    write(tmp_path, HEAD, f"{ACTS}{act}\n")

    assert run("check_bundle . shop1").startswith("refused the bundle has an act that is not")


def test_each_command_is_carried_out_once_in_order_and_noted_before(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    later = COMMAND | {"serial": 7, "words": ["hold", "shop-www"]}
    write(tmp_path, HEAD | {"commands": [later, COMMAND]})

    run(f"{RUN}run_commands; run_commands; command=$(jq .command state.json); run_commands")

    assert (tmp_path / "told").read_text() == "told reboot\ntold hold shop-www\n"
    assert (tmp_path / "noted").read_text() == "7\n"
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [(one["what"], one["who"], one["result"]) for one in lines] == [
        ("command", "ann", "ok"),
        ("command", "ann", "failed"),
    ]
    assert lines[0]["detail"] == "5: reboot"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"expires": 1}, "it has expired"),
        ({"node": "shop2"}, "it is for node shop2"),
        ({"words": ["sh", "-c", "id"]}, "does not know such a command"),
    ],
)
def test_a_command_that_is_late_unknown_or_another_nodes_is_noted_and_not_carried_out(
    tmp_path: Path, run: Callable[[str], str], change: dict[str, object], why: str
) -> None:
    write(tmp_path, HEAD | {"commands": [COMMAND | change]})

    run(f"{RUN}run_commands")

    assert not (tmp_path / "told").exists()
    line = json.loads((tmp_path / "audit").read_text())
    assert (line["result"], why in line["detail"]) == ("failed", True)
    assert json.loads((tmp_path / "state.json").read_text())["command"] == 5


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("retry shop-www", True),
        ("release shop-www 20300615-120000-ab12", True),
        ("reboot", True),
        (f"ssh-open 30 {KEY}", True),
        ("retry ../node", False),
        ("retry", False),
        ("reboot now", False),
        ("release shop-www ../../x", False),
        ("ssh-open 30 ssh-ed25519 short", False),
        (f"ssh-open 1000 {KEY}", False),
        (f"ssh-open 30 {KEY} comment", False),
    ],
)
def test_the_commands_that_a_node_knows_are_a_closed_list(
    run: Callable[[str], str], words: str, *, known: bool
) -> None:
    assert run(f"if command_known '{words}'; then echo yes; fi") == ("yes" if known else "")


# A deploy holds the lock, and moves the app to another slot meanwhile.
RESTART = """
echo blue >slot; touch pull.sh
lock_file() { echo "$1"; }; serving_slot() { cat slot; }; one_at_a_time() { :; }; install() { :; }
wait_for_lock() { echo "$2" >waited; echo green >slot; }; start_slot() { echo "$2" >started; }
"""


def test_a_restart_waits_for_a_deploy_and_restarts_what_serves_then(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    text = run("declare -f obey").replace("/etc/corefab/pull/$app/", "")

    run(f"{RESTART}{text}\nobey restart shop-www")

    assert (tmp_path / "waited").read_text() == "shop-www.lock\n"
    assert (tmp_path / "started").read_text() == "green\n"


OPEN = """
setting() { echo core; }; systemctl() { :; }; ss() { :; }; label() { :; }
ssh-keygen() { echo '256 SHA256:x'; }
nft() { echo "$*" >>nft; }; systemd-run() { echo "$*" >unit; }
"""


def test_ssh_is_open_for_one_key_alone_without_any_forwarding(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    text = run("declare -f ssh_open").replace("/run/corefab/", f"{tmp_path}/")
    text = text.replace("/etc/ssh/", f"{tmp_path}/").replace("/dev/console", "/dev/null")

    assert "open for 30 min, with host key SHA256:x" in run(f"{OPEN}{text}\nssh_open 30 '{KEY}'")

    place = tmp_path / "ssh-open"
    lines = (place / "sshd.conf").read_text().splitlines()
    assert (place / "keys").read_text() == f"{KEY}\n"
    assert f"AuthorizedKeysFile {place}/keys" in lines
    assert {"AllowUsers core", "PasswordAuthentication no", "DisableForwarding yes"} <= {*lines}
    assert "RuntimeMaxSec=30min" in (tmp_path / "unit").read_text()
    assert "22 timeout 30m" in (tmp_path / "nft").read_text()


def test_a_node_needs_those_acts_that_it_does_not_match_with_what_follows_once(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    there, bundle = tmp_path / "there", tmp_path / "bundle"
    owner = f"{there.parent.owner()}:{there.parent.group()}"
    (there / "folder").mkdir(parents=True)
    (there / "folder").chmod(0o750)
    for name in ("same", "text", "mode", "gone", "numbered"):
        (there / name).write_text("here\n")
        (there / name).chmod(0o644)
    (there / "link").symlink_to("a")
    (there / "right").symlink_to("b")
    for name, text in {"text": "new\n", "missing": "new\n"}.items():
        (bundle / f"new{there}").mkdir(parents=True, exist_ok=True)
        (bundle / f"new{there}" / name).write_text(text)
    for name in ("same", "mode", "numbered"):
        (bundle / f"new{there}" / name).write_text("here\n")
    acts = [
        f"file|{there}/same|644|{owner}||sysctl:",
        f"file|{there}/numbered|644|4711:4711||sysctl:",
        f"file|{there}/text|644|{owner}||firewall: restart:a.service",
        f"file|{there}/mode|600|{owner}||firewall:",
        f"file|{there}/missing|644|{owner}||",
        f"folder|{there}/folder|750|{owner}||",
        f"folder|{there}/other|755|{owner}||",
        f"link|{there}/link|||b|",
        f"link|{there}/right|||b|",
        f"remove|{there}/gone||||daemon-reload:",
        f"remove|{there}/never||||sshd:",
        "enable|on.timer||||",
        "enable|off.timer||||",
        "disable|on.timer||||",
        "disable|off.timer||||",
    ]
    (bundle / "acts").write_text("".join(f"{act}\n" for act in acts))

    said = run('systemctl() { [ "$2" != on.timer ] || echo enabled; }; needed bundle')

    assert [line.split("\t")[:2] for line in said.splitlines()] == [
        ["file", f"{there}/text"],
        ["file", f"{there}/mode"],
        ["file", f"{there}/missing"],
        ["folder", f"{there}/other"],
        ["link", f"{there}/link"],
        ["remove", f"{there}/gone"],
        ["enable", "off.timer"],
        ["disable", "on.timer"],
        ["daemon-reload", ""],
        ["firewall", ""],
        ["restart", "a.service"],
    ]


def test_a_slot_in_which_an_updater_tries_an_image_is_not_the_bundles_fault(
    run: Callable[[str], str],
) -> None:
    failed = ("shop-www-green", "shop-www-pull", "corefab-bundle", "backup", "shop-www-door")
    lines = "".join(f"{one}.service loaded failed failed x\\n" for one in failed)

    said = run(f"systemctl() {{ printf '{lines}'; }}; failing")

    assert said.splitlines() == ["backup.service", "shop-www-door.service"]


CREDS = """#!/bin/sh
[ "$1" = encrypt ] || exec cat key.pem
printf "sealed %s: " "$2"; cat
"""


@pytest.mark.parametrize(
    ("head", "own", "sealed"),
    [
        ("shop-www/token", True, "sealed --name=token: a\nb\n"),
        ("shop-www/other", True, ""),
        ("shop-www/token", False, ""),
        ("", True, ""),
    ],
)
def test_a_credential_is_opened_with_the_nodes_key_and_sealed_if_it_is_the_one(
    tmp_path: Path, run: Callable[[str], str], head: str, *, own: bool, sealed: str
) -> None:
    key, other, now = new_key(KIND), new_key(KIND), datetime(2030, 1, 1, tzinfo=UTC)
    pem = self_signed(key, "corefab-node", now=now)
    (tmp_path / "node.crt").write_bytes(pem)
    chosen = pem if own else self_signed(other, "corefab-node", now=now)
    (certificate,) = read_certificates(chosen, source="here")
    (tmp_path / "a.cms").write_bytes(make_envelope(f"{head}\na\nb\n".encode(), certificate))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(plain)
    (tmp_path / "systemd-creds").write_text(CREDS)
    (tmp_path / "systemd-creds").chmod(0o755)
    text = run("declare -f open_secret").replace("/var/lib/corefab/node.crt", "node.crt")

    run(
        f"PATH=.:$PATH; {text}\n"
        "open_secret a.cms 2>/dev/null | seal_secret shop-www/token token >sealed || rm sealed"
    )

    found = tmp_path / "sealed"
    assert (found.read_text() if found.exists() else "") == sealed


# What opens and seals is tested above; `full` stands for a disk without room.
SECRETS = """
work=. own=bundle/secrets/shop-www; mkdir -p $own; echo user >$own/a.cms; echo key >$own/b.cms
audit() { jq -r '"\\(.detail) \\(.result)"' <<<"$1" >>audit; }
systemctl() { echo "$3:" $(cd lib/pull/shop-www/credentials && ls) >>told; }
open_secret() { cat "$1"; }
seal_secret() { [ ! -e full ] || ! grep -q "$2" full || { echo 'no room' >&2; return 1; }; cat; }
"""


def test_an_app_gets_credentials_that_belong_together_at_once(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    text = run("declare -f open_secrets").replace("/var/lib/corefab", "lib")

    assert run(f"{SECRETS}{text}\nopen_secrets") == ""

    assert (tmp_path / "told").read_text() == "shop-www-pull.service: a a.cms b b.cms\n"


def test_a_credential_that_cannot_be_sealed_is_tried_again_and_noted_once(
    tmp_path: Path, run: Callable[[str], str]
) -> None:
    text = run("declare -f open_secrets").replace("/var/lib/corefab", "lib")
    (tmp_path / "full").write_text("b\n")
    look = f"{SECRETS}{text}\nopen_secrets"

    assert run(look) == run(look)
    assert "b of shop-www cannot be opened here (no room)" in run(look)
    (tmp_path / "full").unlink()
    assert run(look) == ""

    place = tmp_path / "lib/pull/shop-www/credentials"
    assert (place / "b").read_text() == "key\n"
    assert not list(place.glob("*.failed.cms"))
    assert (tmp_path / "audit").read_text() == "a ok\nb failed\nb ok\n"
