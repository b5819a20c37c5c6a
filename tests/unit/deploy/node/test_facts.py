"""The models parse the output of facts.sh, whatever characters file names have."""

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
FACTS = Path(__file__).parents[4] / "deploy/node/scripts/facts.sh"
PLACES = """answer --rawfile places <(places "$@") '$places
  | table("path kind mode owner mtime ctime target sha256")
  | map({key: .path, value: .}) | from_entries' """


@pytest.fixture
def ask(program: Callable[[str], str]) -> Callable[..., str]:
    """Run a line that calls functions of facts.sh."""

    def run(line: str, *words: str) -> str:
        done = subprocess.run(
            [program("bash"), "-euo", "pipefail", "-c", f". {FACTS}\n{line}", "facts", *words],
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
        "answer --rawfile rows <(printf 'ssh-ed25519 AAAA\\t12\\tyes\\nssh-rsa BBBB\\t0\\tno\\n') "
        "'$rows | table(\"key age_seconds next\")'"
    )
    lines = ask(
        "answer --rawfile rows <(printf 'ann\\t/a b\\t3\\tfrom=\"x\\\\y\" ssh-rsa B é\\n') "
        "'$rows | table(\"user file age_seconds line\")'"
    )

    assert read_answer(tuple[NodeHostKey, ...], keys, "keys") == (
        NodeHostKey(key="ssh-ed25519 AAAA", age_seconds=12, next=True),
        NodeHostKey(key="ssh-rsa BBBB", age_seconds=0, next=False),
    )
    assert read_answer(tuple[AuthorizedKey, ...], lines, "lines") == (
        AuthorizedKey(user="ann", file="/a b", age_seconds=3, line='from="x\\y" ssh-rsa B é'),
    )
