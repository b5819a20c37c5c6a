"""User data holds no secret, and a pointer accepts one file only."""

import base64
import gzip
import hashlib
import json
import secrets
from urllib.parse import unquote

import pytest

from deploy.machine.cloud.plan.user_data import packed, pointer, secrets_in, split_disks


def with_content(source: str, **more: str) -> bytes:
    file = {"path": "/etc/thing", "contents": {"source": source, **more}}
    return json.dumps({"ignition": {"version": "3.3.0"}, "storage": {"files": [file]}}).encode()


def packed_content(content: bytes) -> str:
    return f"data:;base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    "config",
    [
        with_content("data:,say%20hunter2%0A"),
        with_content(packed_content(b"say hunter2")),
        with_content(packed_content(gzip.compress(b"say hunter2")), compression="gzip"),
    ],
)
def test_a_secret_is_found_however_a_file_is_packed(config: bytes) -> None:
    assert secrets_in(config, {"SMTP_PASSWORD": "hunter2"}) == (
        "the value of SMTP_PASSWORD in /etc/thing",
    )


def test_a_private_key_is_found_without_being_named() -> None:
    key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"

    assert secrets_in(with_content(packed_content(key)), {}) == ("a private key in /etc/thing",)


def test_a_secret_in_a_unit_is_found() -> None:
    units = [{"name": "a.service", "contents": "Environment=TOKEN=hunter2"}]
    config = json.dumps({"systemd": {"units": units}}).encode()

    assert secrets_in(config, {"TOKEN": "hunter2"}) == ("the value of TOKEN in a.service",)


@pytest.mark.parametrize(
    "config",
    [
        with_content("data:,nothing"),
        with_content("data:;base64,!!!"),
        with_content("https://example.org/file"),
        with_content(packed_content(b"not gzip"), compression="gzip"),
    ],
)
def test_a_config_without_secrets_is_accepted(config: bytes) -> None:
    assert secrets_in(config, {"SMTP_PASSWORD": "hunter2", "EMPTY": ""}) == ()


def test_a_pointer_accepts_only_the_file_that_it_was_made_for() -> None:
    config = with_content("data:,x")

    made = json.loads(pointer(config, "https://example.org/m.ign"))

    (merged,) = made["ignition"]["config"]["merge"]
    assert merged["source"] == "https://example.org/m.ign"
    digest = hashlib.sha512(config).hexdigest()
    assert merged["verification"] == {"hash": f"sha512-{digest}"}


def test_disks_stay_in_user_data_where_terraform_can_name_the_device() -> None:
    disks = [{"device": "/dev/disk/by-id/corefab-volume"}]
    whole = json.loads(with_content("data:,x"))
    config = json.dumps(whole | {"storage": whole["storage"] | {"disks": disks}}).encode()

    rest, found = split_disks(config)

    assert (found, json.loads(rest)) == (disks, whole)
    digest = hashlib.sha512(rest).hexdigest()
    for made in (packed(config), pointer(config, "https://example.org/m.ign")):
        assert json.loads(made)["storage"] == {"disks": disks}
    assert digest in pointer(config, "https://example.org/m.ign").decode()


def test_a_packed_config_has_the_same_files_and_each_content_once() -> None:
    text = "# a comment, and 100 % more\n" * 200
    one, other = (
        packed_file("/etc/a/x.sh", text.encode()),
        packed_file("/etc/b/x.sh", text.encode()),
    )
    plain = {"path": "/etc/c", "mode": 420, "contents": {"source": "data:,y%0A"}}
    remote = {"path": "/etc/d", "contents": {"source": "https://example.org/d"}}
    added = {"path": "/etc/e", "append": [{"source": "data:,z"}]}
    link = {"path": "/etc/l", "target": "/etc/c"}
    storage = {"files": [one, plain, other, remote, added], "links": [link]}
    config = {"ignition": {"version": "3.3.0"}, "storage": storage}

    made = packed(json.dumps(config).encode())

    (merged,) = json.loads(made)["ignition"]["config"]["merge"]
    content = base64.b64decode(merged["source"].removeprefix("data:;base64,"))
    whole = json.loads(gzip.decompress(content))
    files = {file["path"]: file for file in whole["storage"]["files"]}
    assert unquote(files["/etc/a/x.sh"]["contents"]["source"]) == f"data:,{text}"
    assert whole["storage"]["links"] == [
        link,
        {"path": "/etc/b/x.sh", "target": "/etc/a/x.sh", "hard": True},
    ]
    assert (files["/etc/d"], files["/etc/e"], files["/etc/c"]) == (remote, added, plain)


def test_files_that_differ_in_mode_or_owner_are_no_links() -> None:
    modes = [{"path": f"/etc/{mode}", "mode": mode} for mode in (384, 420)]
    owned = {"path": "/etc/owned", "mode": 420, "user": {"name": "ann"}}
    config = {"ignition": {"version": "3.3.0"}, "storage": {"files": [*modes, owned]}}

    made = json.loads(packed(json.dumps(config).encode()))

    source = made["ignition"]["config"]["merge"][0]["source"]
    whole = json.loads(gzip.decompress(base64.b64decode(source.partition(",")[2])))
    assert whole["storage"]["links"] == []
    assert len(whole["storage"]["files"]) == 3


def packed_file(path: str, content: bytes) -> dict[str, object]:
    source = packed_content(gzip.compress(content))
    return {"path": path, "mode": 420, "contents": {"source": source, "compression": "gzip"}}


def test_files_that_resemble_each_other_cost_little_whatever_lies_between_their_names() -> None:
    shared, other = (secrets.token_hex(15_000) for _ in range(2))
    texts = {"/etc/a.sh": f"{shared}1", "/etc/m.sh": other, "/etc/z.sh": f"{shared}2"}
    files = [
        {"path": path, "contents": {"source": f"data:,{text}"}} for path, text in texts.items()
    ]
    config = {"ignition": {"version": "3.3.0"}, "storage": {"files": files}}

    found = packed(json.dumps(config).encode())

    # Digits of 4 bits each, two thirds of them, in base64; all would take 60,000 bytes.
    assert len(found) < 50_000
