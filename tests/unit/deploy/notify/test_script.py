"""A node tells what it did by itself: each change once, later if the receiver is down."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

from deploy.node.script import script_text
from deploy.notify.plan.notice import Notice
from deploy.notify.plan.render import Format, render
from tests.unit.deploy.examples import manifest
from tests.unit.deploy.notify.plan.test_render import HOSTILE, texts
from tests.unit.deploy.notify.receivers import Hook

pytestmark = pytest.mark.program
FORMATS = get_args(Format)
SECRET = 'hunter2 "long"/+'
KEPT = "var/lib/corefab/notify"
DAY = 86400


@dataclass
class Node:
    """A folder with the files of a node, and programs that stand in for its own."""

    root: Path
    bash: str
    log: Path
    at: int = 1_907_755_200

    def run(self) -> str:
        """Run the script to its end; return what it said."""
        given = f"unset EPOCHSECONDS; EPOCHSECONDS={self.at}\nowner_above() {{ :; }}\n"
        text = script_text("notify")
        start = text.index("own=/etc/corefab/notify")
        text = text[:start] + given + text[start:]
        for folder in ("/etc/", "/run/", "/var/lib"):
            text = text.replace(folder, f"{self.root}{folder}")
        # The priority of the session that runs the tests stays as it is.
        text = text.replace("/proc/self/autogroup", "/dev/null")
        done = subprocess.run(
            [self.bash, "-c", text, "notify"],
            check=False,
            capture_output=True,
            encoding="utf-8",
            env={"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def set(self, **own: str) -> None:
        """Change settings and sealed secrets."""
        form = own.pop("form", "json")
        self.write(
            "etc/corefab/notify/settings.json",
            json.dumps({"app": "shop-www", "node": "web1", "format": form}),
        )
        for name, value in own.items():
            self.write(f"var/lib/shop-www/releases/r1/credentials/{name}", value)

    def pulled(self, result: str, why: str = "", app: str = "shop-www") -> None:
        found = {"schema_version": 1, "result": result, "why": why, "digest": "sha256:1"}
        self.write(f"var/lib/corefab/pull/{app}/status.json", json.dumps(found))

    def serves(self, release: str, by: str = "the node", **changes: Any) -> None:
        held = json.loads(manifest().model_dump_json()) | {"by": by, "release": release} | changes
        self.write("var/lib/shop-www/releases/r1/manifest.json", json.dumps(held))

    @property
    def waiting(self) -> list[Notice]:
        found = json.loads((self.root / KEPT / "memory.json").read_text())
        return [Notice.model_validate(one) for one in found["waiting"]]


@pytest.fixture
def node(tmp_path: Path, program: Callable[[str], str], receiver: Hook) -> Node:
    made = Node(tmp_path / "node", program("bash"), tmp_path / "arguments")
    made.write("bin/systemd-creds", '#!/bin/sh\nexec cat "$3"\n')
    for file in (made.root / "bin").iterdir():
        file.chmod(0o755)
    made.write("etc/os-release", "NAME=Fedora\nOSTREE_VERSION='44.20300101.3.0'\n")
    made.serves("r1", by="ann")
    (made.root / "var/lib/shop-www/current").symlink_to("releases/r1")
    made.set(notify_url=receiver.url, api_token=SECRET)
    return made


def test_a_node_where_all_is_well_says_nothing(node: Node, receiver: Hook) -> None:
    node.pulled("same")

    assert node.run() == ""

    assert receiver.came == []


def test_a_release_that_the_node_brought_is_told_once(node: Node, receiver: Hook) -> None:
    node.pulled("updated")
    node.serves("r2")
    for _ in range(3):
        node.run()
    node.pulled("same")
    node.run()

    (one,) = receiver.came
    told = Notice.model_validate_json(one.body)
    assert told.title == "web1: shop-www: release r2 serves"
    assert (told.event, told.app, told.node, told.trouble) == ("pull", "shop-www", "web1", False)
    assert int(told.at.timestamp()) == node.at


@pytest.mark.parametrize(
    ("result", "title"),
    [
        ("refused", "web1: shop-www: what the registry offers is refused"),
        ("failed", "web1: shop-www: an update failed, what served before serves"),
        ("no-room", "web1: shop-www: no room for an update"),
        ("node-fault", "web1: shop-www: this node cannot update it"),
    ],
)
def test_trouble_is_told_once_then_after_a_day_then_that_it_is_over(
    node: Node, receiver: Hook, result: str, title: str
) -> None:
    for number in range(50):
        node.at += 60
        # What an image failed with is held back from then on.
        node.pulled("held-back" if result == "failed" and number else result, f"why {number}")
        if number in {0, 1, 49}:
            node.run()
    assert receiver.titles == [title]

    node.at += DAY
    node.run()
    node.pulled("waiting")
    node.run()
    node.pulled("same")
    node.run()
    node.run()

    assert receiver.titles[1:] == [f"still: {title}", "web1: shop-www is well again"]


def test_the_bundle_of_the_node_is_told_of_too(node: Node, receiver: Hook) -> None:
    node.pulled("refused", "it is older", app="node")

    node.run()

    (one,) = receiver.came
    assert one.json["title"] == "web1: its bundle: what the registry offers is refused"
    assert one.json["text"] == "it is older"


def test_an_operating_system_that_went_back_is_told_once(node: Node, receiver: Hook) -> None:
    for version in ("44.20300101.3.0", "44.20300115.3.1", "44.20300101.3.0", "44.20300101.3.0"):
        node.write("etc/os-release", f"OSTREE_VERSION='{version}'\n")
        node.run()

    assert receiver.titles == ["web1: the operating system went back to 44.20300101.3.0"]
    assert receiver.came[0].json["text"] == "it ran 44.20300115.3.1 before"


@pytest.mark.parametrize("late", [False, True])
def test_a_system_that_went_back_by_itself_is_told_once(
    node: Node, receiver: Hook, *, late: bool
) -> None:
    old, new = "44.20300101.3.0", "44.20300115.3.1"
    node.write("etc/os-release", f"OSTREE_VERSION='{new}'\n")
    node.run()
    node.write("etc/os-release", f"OSTREE_VERSION='{old}'\n")
    if late:
        node.run()
    found = {"key": "os", "event": "os", "app": "", "state": f"{new} to {old}", "title": "went",
             "text": "why", "trouble": True, "lasting": False}  # fmt: skip
    node.write(f"{KEPT}/found/os.json", json.dumps(found))

    node.run()
    node.run()

    told = f"the operating system went back to {old}" if late else "went"
    assert receiver.titles == [f"web1: {told}"]


def test_a_system_that_goes_back_twice_is_told_twice(node: Node, receiver: Hook) -> None:
    for version in ("44.20300101.3.0", "44.20300115.3.1", "44.20300101.3.0", "44.20300201.3.0",
                    "44.20300101.3.0"):  # fmt: skip
        node.write("etc/os-release", f"OSTREE_VERSION='{version}'\n")
        node.run()

    assert len(receiver.titles) == 2


def test_what_another_script_found_is_told_and_removed(node: Node, receiver: Hook) -> None:
    found = {"key": "os proof", "event": "os", "app": "", "state": "bad", "title": "not healthy",
             "text": "x", "trouble": True, "lasting": False}  # fmt: skip
    node.write(f"{KEPT}/found/1.json", json.dumps(found))
    node.write(f"{KEPT}/found/2.json", json.dumps(found | {"trouble": "yes"}))
    node.write(f"{KEPT}/found/3.json", "{")

    node.run()

    assert receiver.titles == ["web1: not healthy"]
    assert list((node.root / KEPT / "found").iterdir()) == []


def test_a_receiver_that_is_down_gets_each_message_exactly_once_later(
    node: Node, receiver: Hook
) -> None:
    receiver.status = 503
    node.pulled("refused")
    assert "answers 503; what waits is sent later" in node.run()
    node.pulled("failed")
    node.run()
    node.run()
    assert len(node.waiting) == 2
    receiver.came.clear()

    receiver.status = 202
    node.run()
    node.run()

    assert [one.split(": ")[2][:9] for one in receiver.titles] == ["what the ", "an update"]
    assert node.waiting == []


def test_a_message_that_is_refused_does_not_hold_back_the_next(node: Node, receiver: Hook) -> None:
    receiver.status = 400
    node.pulled("refused")
    node.serves("r2")

    node.run()

    assert len(receiver.came) == 2
    assert len(node.waiting) == 2


@pytest.mark.parametrize("missing", ["notify_url", "all"])
def test_without_its_address_messages_wait(node: Node, receiver: Hook, missing: str) -> None:
    folder = node.root / "var/lib/shop-www/releases/r1/credentials"
    (folder / "notify_url").unlink()
    if missing == "all":
        (node.root / "var/lib/shop-www/current").unlink()
    node.pulled("refused")
    node.run()
    assert len(node.waiting) == 1

    if missing == "all":
        (node.root / "var/lib/shop-www/current").symlink_to("releases/r1")
    node.set(notify_url=receiver.url)
    node.run()

    assert len(receiver.came) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_each_form_is_that_of_the_workstation(node: Node, receiver: Hook, form: Format) -> None:
    node.set(form=form, notify_token='syt_"x\\y')
    receiver.status = 500
    node.pulled("refused", HOSTILE.replace("\ud800", "").replace("\n", " ") * 9)
    node.run()
    (waits,) = node.waiting
    receiver.came.clear()
    receiver.status = 200

    node.run()

    (came,) = receiver.came
    expected = render(waits, form, receiver.url)
    assert (came.method, json.loads(came.body)) == (expected.method, json.loads(expected.body))
    assert expected.url.endswith(came.path)
    assert came.headers["authorization"] == 'Bearer syt_"x\\y'
    for text in texts(came.json):
        assert text.replace("\n", "").isprintable()
    assert len(came.json.get("content", "")) <= 2000


@pytest.mark.parametrize("key", ["short", "x" * 64, "long and \u20ac " * 20, "whsec_AP8QIA=="])
def test_a_message_is_signed_as_the_workstation_signs(node: Node, receiver: Hook, key: str) -> None:
    node.set(notify_key=key)
    node.pulled("refused")

    node.run()

    (came,) = receiver.came
    used = b"\0\xff\x10 " if key.startswith("whsec_") else key.encode()
    signed = f"{came.headers['webhook-id']}.{node.at}.".encode() + came.body
    mac = base64.b64encode(hmac.new(used, signed, hashlib.sha256).digest()).decode()
    assert came.headers["webhook-signature"] == f"v1,{mac}"


def test_no_secret_is_an_argument_or_in_an_environment(
    node: Node, receiver: Hook, program: Callable[[str], str]
) -> None:
    for name in ("jq", "curl", "sha256sum", "od", "cat", "base64", "sed", "head", "tr", "cut"):
        note = f'{{ printf "%s\\n" "$0" "$@" && env; }} >>{node.log}\n'
        node.write(f"bin/{name}", f'#!/bin/sh\n{note}exec {program(name)} "$@"\n')
        (node.root / "bin" / name).chmod(0o755)
    node.set(form="ntfy", notify_key="the-key-1234", notify_token="the-token-1234")
    node.pulled("refused", "why")

    node.run()

    assert len(receiver.came) == 1
    noted = node.log.read_text()
    assert "PATH=" in noted, "the control hits"
    hexed = b"the-key-1234".hex()
    for secret in ("s3cr3t-path", "the-key-1234", hexed, "the-token-1234", SECRET):
        assert secret not in noted


@pytest.mark.parametrize(
    "form",
    [SECRET, json.dumps(SECRET)[1:-1], base64.b64encode(SECRET.encode()).decode()],
)
def test_no_secret_is_in_a_message(node: Node, receiver: Hook, form: str) -> None:
    node.pulled("failed", f"slot green did not start: {form} is wrong\n{form}")

    node.run()

    assert receiver.came[0].json["text"] == "slot green did not start: *** is wrong"


def test_a_secret_that_is_none_is_shown(node: Node, receiver: Hook) -> None:
    (node.root / "var/lib/shop-www/releases/r1/credentials/api_token").unlink()
    node.pulled("failed", f"{SECRET} is wrong")

    node.run()

    assert receiver.came[0].json["text"] == f"{SECRET} is wrong", "the control hits"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"told": 5}', "null"])
def test_a_damaged_memory_is_begun_again(node: Node, receiver: Hook, content: str) -> None:
    node.write(f"{KEPT}/memory.json", content)
    node.pulled("refused")

    node.run()

    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"result": {}}', '{"result": "refused", "why": 5}']
)
def test_a_damaged_status_is_passed_over(node: Node, receiver: Hook, content: str) -> None:
    node.write("var/lib/corefab/pull/shop-www/status.json", content)
    node.pulled("refused", app="shop-api")

    node.run()

    assert receiver.titles == ["web1: shop-api: what the registry offers is refused"]


def test_the_memory_is_roots_alone(node: Node) -> None:
    node.run()

    folder = node.root / KEPT
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == os.geteuid()
