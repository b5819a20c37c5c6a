"""What a file may not do to the machine that translates it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butane.translate import files_folder, yaml_node
from butane.translate.translation import Translation, translate

HEAD = "variant: fcos\nversion: 1.7.0\n"


def _file(local: str) -> str:
    return f"{HEAD}storage:\n  files:\n    - {{path: /a, contents: {{local: '{local}'}}}}\n"


def _assert_refused(done: Translation, word: str) -> None:
    assert done.ignition is None
    assert word in " ".join(report.message for report in done.reports)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.mark.parametrize("local", ["../secret", "x/../../secret", "/../secret", "./../secret"])
def test_a_local_path_cannot_climb_out_of_the_folder(folder: Path, local: str) -> None:
    _assert_refused(translate(_file(local), files=folder), "outside the files directory")


def test_a_symbolic_link_cannot_lead_out_of_the_folder(folder: Path) -> None:
    (folder / "link").symlink_to("../secret")
    (folder / "up").symlink_to("..")

    _assert_refused(translate(_file("link"), files=folder), "through a symbolic link")
    _assert_refused(translate(_file("up/secret"), files=folder), "through a symbolic link")


def test_a_symbolic_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "real").write_text("hi")
    (folder / "link").symlink_to("real")

    assert "data:,hi" in (translate(_file("link"), files=folder).ignition or "")


def test_a_tree_cannot_be_a_link_that_leads_out(folder: Path) -> None:
    (folder / "tree").symlink_to("..")
    text = f"{HEAD}storage: {{trees: [{{local: tree}}]}}\n"

    _assert_refused(translate(text, files=folder), "through a symbolic link")


def test_links_in_a_tree_become_links_and_are_not_read(folder: Path) -> None:
    (folder / "tree").mkdir()
    (folder / "tree" / "out").symlink_to("../../secret")
    text = f"{HEAD}storage: {{trees: [{{local: tree}}]}}\n"

    made = translate(text, files=folder).ignition or ""

    assert '"target":"../../secret"' in made
    assert "data:,secret" not in made


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "tree").mkdir()
    os.mkfifo(folder / "tree" / "pipe")
    text = f"{HEAD}storage: {{trees: [{{local: tree}}]}}\n"

    _assert_refused(translate(_file("pipe"), files=folder), "not a regular file")
    _assert_refused(translate(text, files=folder), "may only contain files")


def test_a_file_over_the_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_folder, "FILE_LIMIT", 10)
    (folder / "large").write_text("x" * 11)

    _assert_refused(translate(_file("large"), files=folder), "larger than 10 bytes")


def test_all_files_together_have_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_folder, "TOTAL_LIMIT", 10)
    (folder / "tree").mkdir()
    for name in "abc":
        (folder / "tree" / name).write_text("x" * 5)
    text = f"{HEAD}storage: {{trees: [{{local: tree}}]}}\n"

    _assert_refused(translate(text, files=folder), "larger than 10 bytes together")


@pytest.fixture
def deep(folder: Path) -> Iterator[Path]:
    """Make folders within folders, deeper than Python's own functions can make or remove."""
    places = [folder / "tree"]
    while len(places) < 1500:
        places.append(places[-1] / "d")
    for place in places:
        place.mkdir()
    yield folder
    for place in reversed(places):
        place.rmdir()


def test_a_deep_folder_is_walked_without_a_crash(deep: Path) -> None:
    text = f"{HEAD}storage: {{trees: [{{local: tree}}]}}\n"

    assert translate(text, files=deep).ignition == '{"ignition":{"version":"3.6.0"}}\n'


def test_a_text_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_node, "TEXT_LIMIT", 100)

    _assert_refused(translate(HEAD + "#" * 100), "longer than 100 characters")


def test_a_document_that_grows_through_aliases_is_refused() -> None:
    inner = ", ".join(["{inline: x}"] * 1000)
    outer = ", ".join(["{path: /a, append: *parts}"] * 3)
    text = f"{HEAD}parts: &parts [{inner}]\nstorage: {{files: [{outer}]}}\n"

    _assert_refused(translate(text), "excessive aliasing")


def test_a_deep_document_is_read_without_a_crash() -> None:
    done = translate(f"{HEAD}x: {'[' * 5000}{']' * 5000}\n")

    assert [report.message for report in done.reports] == ["unused key x"]


def test_a_file_that_is_not_text_is_carried_whole(folder: Path) -> None:
    (folder / "noise").write_bytes(bytes(range(256)))

    assert ";base64," in (translate(_file("noise"), files=folder).ignition or "")


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_gets_an_answer(text: str) -> None:
    done = translate(text)

    assert (done.ignition is None) == bool(done.failure)


@pytest.mark.program
def test_the_translator_loads_neither_ssh_nor_cryptography() -> None:
    code = "import sys, butane.translate.translation; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"fabric", "paramiko", "cryptography", "pydantic", "rich"} & set(done.stdout.split())
