import io
import json
from pathlib import Path

import pytest

from butane.command import main

GOOD = "variant: fcos\nversion: 1.7.0\nstorage: {files: [{path: /a, contents: {local: b}}]}\n"
WARNED = "variant: fcos\nversion: 1.7.0\nnonsense: 1\n"
BAD = "variant: fcos\nversion: 1.7.0\nstorage: {files: [{path: a}]}\n"
MADE = (
    '{"ignition":{"version":"3.6.0"},"storage":{"files":[{"path":"/a",'
    '"contents":{"compression":"","source":"data:,hi"}}]}}\n'
)


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").write_text("hi")
    (tmp_path / "good.bu").write_text(GOOD)
    (tmp_path / "warned.bu").write_text(WARNED)
    (tmp_path / "bad.bu").write_text(BAD)
    return tmp_path


def test_a_file_is_translated_to_standard_output(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-d", str(folder), str(folder / "good.bu")]) == 0

    assert capsys.readouterr().out == MADE


def test_standard_input_is_read_without_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(GOOD.encode()))

    assert main(["--files-dir", str(folder)]) == 0

    assert capsys.readouterr().out == MADE


def test_the_output_can_be_a_file_and_indented(folder: Path) -> None:
    out = folder / "out.ign"

    assert main(["-pd", str(folder), "-o", str(out), str(folder / "good.bu")]) == 0

    assert json.loads(out.read_text()) == json.loads(MADE)
    assert out.read_text().startswith('{\n  "ignition": {\n    "version": "3.6.0"\n')


def test_checking_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", str(folder / "warned.bu")]) == 0

    assert capsys.readouterr().out == ""


def test_a_warning_is_fatal_only_when_strict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder / "warned.bu")]) == 0
    assert main(["-s", str(folder / "warned.bu")]) == 1

    said = capsys.readouterr().err
    assert said.endswith("Config produced warnings and --strict was specified\n")


def test_an_error_is_shown_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder / "bad.bu")

    assert main([path]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "error[$.storage.files.0.path]:\n"
        f"  --> {path}:3:26\n"
        "   |\n"
        " 1 | variant: fcos\n"
        " 2 | version: 1.7.0\n"
        " 3 | storage: {files: [{path: a}]}\n"
        "   |                          ^^^^ path not absolute\n"
        " 4 | \n"
        "   |\n"
        "Error translating config: config generated was invalid\n"
    )


def test_raw_errors_take_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--raw-errors", str(folder / "bad.bu")]) == 1

    first = capsys.readouterr().err.splitlines()[0]
    assert first == "error at $.storage.files.0.path, line 3 col 26: path not absolute"


def test_color_is_used_on_demand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--color", str(folder / "bad.bu")]) == 1

    assert "\033[1;31merror\033[0m[$.storage" in capsys.readouterr().err


def test_an_unreadable_file_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latin.bu").write_bytes(b"variant: fcos\n# caf\xe9\n")

    assert main([str(folder / "missing.bu")]) == 1
    assert main([str(folder / "latin.bu")]) == 1

    said = capsys.readouterr().err
    assert "missing.bu: No such file or directory" in said
    assert "latin.bu, line 2: not text in UTF-8" in said


@pytest.mark.parametrize("words", [["--nonsense"], ["a", "b"]])
def test_wrong_usage_has_its_own_exit_code(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert caught.value.code == 2
