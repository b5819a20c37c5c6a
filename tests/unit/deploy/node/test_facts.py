"""The models parse the output of facts.sh, whatever characters file names have."""

import base64
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.machine.drift.plan.inspection import FoundPlace
from deploy.node.answer import read_answer
from deploy.node.holdings import AuthorizedKey, NodeHostKey

pytestmark = pytest.mark.program
SCRIPTS = Path(__file__).parents[4] / "deploy/node/scripts"
PLACES = """answer --rawfile places <(places "$@") '$places
  | table("path kind mode owner mtime ctime target sha256")
  | map({key: .path, value: .}) | from_entries' """


@pytest.fixture
def ask(program: Callable[[str], str]) -> Callable[..., str]:
    """Run a line that calls functions of facts.sh."""

    def run(line: str, *words: str) -> str:
        done = subprocess.run(
            [
                program("bash"),
                "-euo",
                "pipefail",
                "-c",
                f". {SCRIPTS}/owners.sh; . {SCRIPTS}/facts.sh\n{line}",
                "facts",
                *words,
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    return run


def test_files_folders_and_links_are_listed_and_missing_paths_are_not(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    file, other, link, folder = (tmp_path / name for name in ("a file", "-b[1]*", "link", "folder"))
    file.write_bytes(b"content")
    file.chmod(0o640)
    other.write_bytes(b"")
    os.utime(other, (5, 7.9))
    link.symlink_to("a file")
    folder.mkdir(mode=0o750)
    asked = (file, other, tmp_path / "missing", link, folder)

    found = read_answer(dict[str, FoundPlace], ask(PLACES, *map(str, asked)), "places")

    assert {name: one.kind for name, one in found.items()} == {
        str(file): "file", str(other): "file", str(link): "link", str(folder): "folder"
    }  # fmt: skip
    assert found[str(file)].mode == "640"
    assert found[str(file)].owner == f"{file.owner()}:{file.group()}"
    assert found[str(file)].sha256 == hashlib.sha256(b"content").hexdigest()
    assert found[str(other)].sha256 == hashlib.sha256(b"").hexdigest()
    assert found[str(other)].mtime.timestamp() == 7
    assert (found[str(link)].target, found[str(link)].sha256) == ("a file", "")
    assert found[str(folder)].mode == "750"


def test_missing_paths_give_an_empty_answer(ask: Callable[..., str], tmp_path: Path) -> None:
    assert ask(PLACES, str(tmp_path / "x")) == "{}\n"
    assert ask(PLACES) == "{}\n"


def test_rows_are_parsed_by_the_models(ask: Callable[..., str]) -> None:
    keys = ask(
        "answer --rawfile rows <(row 'ssh-ed25519 AAAA' 12 yes 'ssh-rsa BBBB' 0 no) "
        "'$rows | table(\"key age_seconds next\")'"
    )

    assert read_answer(tuple[NodeHostKey, ...], keys, "keys") == (
        NodeHostKey(key="ssh-ed25519 AAAA", age_seconds=12, next=True),
        NodeHostKey(key="ssh-rsa BBBB", age_seconds=0, next=False),
    )
    odd = ask("answer --rawfile rows <(row 'a\tb\nc' d) '$rows | table(\"one two\")'")
    assert read_answer(tuple[dict[str, str], ...], odd, "rows") == ({"one": "a\tb\nc", "two": "d"},)
    assert ask("answer --rawfile rows <(:) '$rows | pairs'") == "{}\n"


def test_a_target_of_a_link_makes_no_row_of_its_own(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to("x\n/etc/shadow\tfile\t644\troot:root\t1\t1\t\t")

    found = read_answer(dict[str, FoundPlace], ask(PLACES, str(link)), "places")

    assert {name: one.target for name, one in found.items()} == {str(link): str(link.readlink())}


def test_the_lines_of_authorized_keys_files_arrive_as_they_are(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    lines = ["a\tb", '  command="x\\" y" z', "ssh-rsa \0 B", "é\u2028\x85\r", "\0#", "last"]
    folder = tmp_path / ".ssh/authorized_keys.d"
    folder.mkdir(parents=True)
    (tmp_path / ".ssh/authorized_keys").write_text("\n".join(["# no", "", " \t#", *lines[:-1]]))
    (folder / "a\tb\nc").write_bytes(b"\xff last\n\n")
    (folder / ".hidden").write_text("hidden")
    (folder / "many").write_text("x\n" * 6000)
    listed = (
        'getent() { echo "ann:x:0:0::$HOME_OF:/bin/sh"; }\n'
        "answer --slurpfile access <(authorized_keys ann) '$access'"
    )

    found = read_answer(tuple[AuthorizedKey, ...], ask(f"HOME_OF={tmp_path}\n{listed}"), "lines")

    by_file: dict[str, list[str]] = {}
    for one in found:
        by_file.setdefault(one.file, []).append(one.line)
    assert by_file == {
        str(tmp_path / ".ssh/authorized_keys"): lines[:-1],
        # A name is put on one line, so that no part of it looks like another message.
        str(folder / "a\tb\\nc"): ["\ufffd last"],
        str(folder / "many"): [*["x"] * 5000, "there are too many lines to be listed"],
    }
    assert {one.user for one in found} == {"ann"}


def test_a_credential_that_the_node_cannot_decrypt_is_told_from_one_that_differs(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    sealed = tmp_path / "current/credentials"
    sealed.mkdir(parents=True)
    value = base64.b64encode(b"secret").decode()
    # A decryption may fail half-way; a long one is read to its end.
    cases = {
        "alike": (value, "printf secret", "same"),
        "other": (value, "printf '%0900000d' 0", "different"),
        "typed": ("-", "printf '%0900000d' 0", "present"),
        "lost": (value, "printf secret; return 1", "unreadable"),
        "asked": ("-", "return 1", "unreadable"),
    }
    for name in cases:
        (sealed / name).touch()
    decrypted = "".join(f"{name}) {does} ;;\n" for name, (_, does, _) in cases.items())
    asked = "".join(f"{name} {given}\n" for name, (given, _, _) in cases.items())

    found = ask(
        f"home_of() {{ echo '{tmp_path}'; }}\n"
        f"systemd-creds() {{ case ${{2#--name=}} in {decrypted}esac; }}\n"
        'answer --rawfile found <(compared_credentials app <<<"$1") "\\$found | pairs"',
        f"{asked}none -",
    )

    expected = {name: state for name, (_, _, state) in cases.items()} | {"none": "absent"}
    assert read_answer(dict[str, str], found, "states") == expected
