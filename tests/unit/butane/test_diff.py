from pathlib import Path

import pytest
from hypothesis import given, settings

from butane.command import main
from butane.diff import diff
from butane.items import read_items
from butane.translate.translation import translate
from tests.unit.butane.translate.cases import FILES
from tests.unit.butane.translate.generated import configs

HEAD = "variant: fcos\nversion: 1.7.0\n"
OLD = HEAD + "storage: {files: [{path: /a, mode: 0644, contents: {inline: x}}, {path: /b}]}\n"
NEW = HEAD + "storage: {files: [{path: /a, mode: 0600, contents: {inline: yy}}, {path: /c}]}\n"


def _said(old: str, new: str) -> list[str]:
    return [str(change) for change in diff(read_items(old), read_items(new))]


def test_changes_are_listed_item_by_item() -> None:
    assert _said(OLD, NEW) == [
        "~ file /a: mode 0644 -> 0600; content 1 bytes (2d711642b726) -> 2 bytes (ef90d9c1ec76)",
        "+ file /c",
        "- file /b",
    ]


def test_a_password_is_not_shown() -> None:
    old, new = (f"{HEAD}passwd: {{users: [{{name: a, password_hash: {x}}}]}}\n" for x in "pq")

    assert _said(old, new) == ["~ user a: password hash"]


def test_a_key_file_is_not_shown() -> None:
    old, new = (
        f"{HEAD}storage: {{luks: [{{name: a, device: /dev/a, key_file: {{inline: {x}}}}}]}}\n"
        for x in "pq"
    )

    assert _said(old, new) == ["~ encrypted volume a: key file"]


def test_the_same_contents_in_another_encoding_are_no_change() -> None:
    packed = HEAD + "storage: {files: [{path: /a, contents: {source: 'data:;base64,eA=='}}]}\n"
    plain = HEAD + "storage: {files: [{path: /a, contents: {inline: x}}]}\n"

    assert _said(packed, plain) == []


def test_the_exit_code_tells_whether_there_are_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.bu", tmp_path / "new.ign"
    old.write_text(OLD)
    new.write_text(translate(OLD).ignition or "")

    assert main(["diff", str(old), str(new)]) == 0

    new.write_text(translate(NEW).ignition or "")
    assert main(["diff", str(old), str(new)]) == 1
    assert "+ file /c\n" in capsys.readouterr().out


@given(configs())
@settings(max_examples=60, deadline=None)
def test_a_machine_does_not_differ_from_itself(text: str) -> None:
    made = translate(text, files=FILES).ignition
    if made is not None:
        machine = read_items(made)

        assert diff(machine, machine) == ()
