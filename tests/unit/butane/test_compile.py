"""Which compiler is taken, and what it says."""

import os
import stat
from pathlib import Path

import pytest

from butane.compile import compile_text
from butane.errors import ButaneError
from butane.translate.yaml_node import read_document

TEXT = "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /a\n      mode: {}\n"
# Stands in for the program: shows its arguments and input, then ends as its input says.
STAND_IN = """\
#!/bin/sh
printf '%s' "$*" >&2
grep -q broken && exit 1
echo '{"ignition": {}}'
"""


@pytest.fixture
def butane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "butane"
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


@pytest.fixture
def no_butane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_the_program_the_translator_is_taken(no_butane: None, tmp_path: Path) -> None:
    compiled = compile_text(TEXT.format("0644"), files=tmp_path, name="a.bu")

    assert '"/a"' in compiled.ignition
    assert compiled.tool == "the translator in butane/translate"
    assert compiled.warnings == ()


def test_the_translator_is_taken_where_it_is_asked_for(butane: Path, tmp_path: Path) -> None:
    compiled = compile_text(TEXT.format("0644"), files=tmp_path, name="a.bu", tool="python")

    assert compiled.tool == "the translator in butane/translate"


def test_a_warning_names_file_line_and_place(no_butane: None, tmp_path: Path) -> None:
    compiled = compile_text(TEXT.format("644"), files=tmp_path, name="a.bu")

    assert compiled.warnings
    for warning in compiled.warnings:
        assert warning.startswith("a.bu:6: ")
        assert warning.endswith("($.storage.files.0.mode)")


def test_every_error_is_reported_with_file_and_line(no_butane: None, tmp_path: Path) -> None:
    text = TEXT.format("0644") + "    - path: b\n    - path: c\n"

    with pytest.raises(ButaneError) as caught:
        compile_text(text, files=tmp_path, name="a.bu")
    lines = caught.value.message.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["a.bu:7:", "a.bu:8:"]
    assert caught.value.hint == "correct a.bu"


def test_the_program_that_is_not_there_cannot_be_asked_for(no_butane: None, tmp_path: Path) -> None:
    with pytest.raises(ButaneError, match="butane is not installed"):
        compile_text("", files=tmp_path, name="a.bu", tool="real")


def test_an_unknown_compiler_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ButaneError, match="unknown Butane compiler 'fast'") as caught:
        compile_text("", files=tmp_path, name="a.bu", tool="fast")
    assert caught.value.hint == "choose auto, python or real"


@pytest.mark.program
@pytest.mark.parametrize("tool", ["auto", "real"])
def test_the_program_is_taken_where_it_is(butane: Path, tmp_path: Path, tool: str) -> None:
    compiled = compile_text("variant: fcos\n", files=tmp_path, name="a.bu", tool=tool)

    assert compiled.ignition == '{"ignition": {}}\n'
    assert compiled.tool == str(butane)
    assert compiled.warnings == (f"--files-dir {tmp_path}",)


@pytest.mark.program
def test_what_the_program_says_is_passed_on(butane: Path, tmp_path: Path) -> None:
    with pytest.raises(ButaneError, match=f"a.bu: --files-dir {tmp_path}"):
        compile_text("broken", files=tmp_path, name="a.bu", tool="auto")


@pytest.mark.program
def test_an_error_of_the_program_is_shown_where_its_author_wrote_it(
    butane: Path, tmp_path: Path
) -> None:
    text = TEXT.format("0644") + "    - path: broken\n"
    root = read_document(text, "mine.bu", [*range(11, 11 + text.count("\n"))])

    with pytest.raises(ButaneError) as caught:
        compile_text(text, files=tmp_path, name="a.bu", tool="real", root=root)
    line = 10 + text.count("\n")
    assert caught.value.message.startswith(f"mine.bu:{line}: ")
    assert caught.value.hint == "correct mine.bu"
