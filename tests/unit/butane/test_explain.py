from pathlib import Path

import pytest

from butane.command import main
from butane.errors import ButaneError
from butane.explain import explain
from butane.items import read_items

SPEC = r"""
variant: fcos
version: 1.7.0
passwd: {users: [{name: core, groups: [sudo], password_hash: $y$secret}]}
kernel_arguments: {should_exist: [quiet]}
storage:
  files:
    - {path: /etc/motd, mode: 0644, user: {name: core}, contents: {inline: "one\ntwo\n"}}
    - {path: /etc/raw, contents: {inline: !!binary //79}}
    - {path: /etc/far, contents: {source: "https://a.example/x"}}
  disks: [{device: /dev/vdb, wipe_table: true, partitions: [{label: data, number: 1}]}]
  luks: [{name: vault, device: /dev/vdc, key_file: {inline: opensesame}}]
systemd:
  units:
    - {name: a.service, enabled: true, contents: "[Service]\n", dropins: [{name: b.conf}]}
"""


def test_a_machine_is_described_kind_by_kind() -> None:
    said = explain(read_items(SPEC))

    assert "Ignition 3.6.0\n" in said
    assert "  core  groups sudo; password hash set\n" in said
    assert "  /etc/motd  user name core; mode 0644; 8 bytes of text\n" in said
    assert "  /etc/raw   3 bytes of binary\n" in said
    assert "  /etc/far   from https://a.example/x\n" in said
    assert "  a.service  enabled yes; 10 bytes of text\n" in said
    assert "  /dev/vdb data  label data; number 1\n" in said


def test_no_secret_is_shown() -> None:
    said = explain(read_items(SPEC), lines=100)

    assert "$y$secret" not in said
    assert "opensesame" not in said


def test_the_first_lines_of_texts_are_shown_on_request() -> None:
    said = explain(read_items(SPEC), lines=1)

    assert "    | one\n" in said
    assert "two" not in said


def test_an_ignition_file_is_read_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "node.ign"
    file.write_text('{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a"}]}}')

    assert main(["explain", str(file)]) == 0

    assert "Files (1)\n  /a\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"ignition": {"version": "2.3.0"}}', "2.3.0 is not known"),
        ("{}", "missing is not known"),
        ("{", "node: line 1"),
        ("variant: fcos", "does not translate"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, word: str) -> None:
    with pytest.raises(ButaneError, match=word):
        read_items(text, name="node")
