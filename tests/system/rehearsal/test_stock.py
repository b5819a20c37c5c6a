"""The stock system has the stock node's tools and no others that a deploy could lean on."""

import os
import re
from pathlib import Path

import pytest

from deploy.node.script import scripts
from rehearsal import stock
from rehearsal.errors import RehearsalError
from tests.shell import options
from tests.stock_node import ABSENT, FILES, NOT_REHEARSED, PROGRAMS, UNIT_SCRIPTS
from tests.system.rehearsal.nodes import Shell

pytestmark = pytest.mark.node

# How a program shows its options, if not with `--help`. Where podman's verb comes after options, as
# in `podman --root …`, it may be any of these.
HELP = {
    "curl": "curl --help all",
    "diff": "diff --help | sed 's/--[GL]TYPE/--old/; p; s/--old/--new/; p; s/--new/--unchanged/'",
    "podman": "podman --help; for verb in create info ps rm run stop; do podman $verb --help; done",
    "podman image ls": "podman image ls --help | sed 's/podman image list/podman image ls/'",
    "zstd": "zstd -H",
}
# Debian's own means to change a system; Fedora CoreOS has none of them.
OF_DEBIAN = "apt apt-get dpkg dpkg-query debconf update-alternatives adduser networkctl"


@pytest.mark.parametrize(
    ("suite", "advice"),
    [("trixie", "reach Debian's archive?"), ("forky", "for a node of trixie")],
)
def test_a_broken_archive_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str, advice: str
) -> None:
    broken = tmp_path / "mmdebstrap"
    broken.write_text(
        "#!/bin/sh\necho 'E: podman depends on netavark, not installable' >&2\nexit 25\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(RehearsalError, match=f"from Debian {suite}: .* exit code 25") as caught:
        stock.tree(lambda _: None, suite)
    assert "netavark, not installable\n" in caught.value.hint
    assert caught.value.hint.endswith(advice)
    assert not list((tmp_path / "corefab/rehearsal").glob("b*ing-*"))


@pytest.mark.core
def test_the_programs_of_a_stock_node_are_there(shell: Shell) -> None:
    missing = shell.run(
        f"for one in {' '.join(sorted(PROGRAMS))}; do type -P $one >/dev/null || echo $one; done\n"
        f"for one in {' '.join(sorted(FILES))}; do test -x $one || echo $one; done"
    )

    assert sorted(missing.split()) == sorted(NOT_REHEARSED)


@pytest.mark.core
def test_what_the_stock_node_lacks_is_absent(shell: Shell) -> None:
    words = f"{' '.join(ABSENT)} {OF_DEBIAN}"
    present = shell.run(f"for one in {words}; do PATH=$PATH:/usr/sbin type -P $one; done; true")

    assert present.split() == []


def unknown(shell: Shell, *texts: str) -> set[tuple[str, str]]:
    """Find the verbs and long options in scripts that a node's programs do not know."""
    given = {one for text in texts for one in options(text)}
    asked = {words for words, _ in given if words.split()[0] in PROGRAMS - NOT_REHEARSED}
    helps = {
        words: shell.attempt(f"({HELP.get(words, f'{words} --help')}) 2>&1").stdout.decode()
        for words in asked
    }
    # A verb is known where its usage is shown: an error names it, too.
    return {
        (words, option)
        for words, option in given
        if words in helps
        and not re.search(option if option.startswith("--") else rf"(?m)^ *{option} ", helps[words])
    }


@pytest.mark.core
def test_the_programs_of_this_generation_know_every_option_of_the_remote_scripts(
    shell: Shell,
) -> None:
    texts = [file.read_text(encoding="utf-8") for file in (*scripts().values(), *UNIT_SCRIPTS)]

    assert unknown(shell, *texts) == set()


@pytest.mark.core
def test_a_script_that_needs_a_newer_program_is_found_on_the_older_generation(
    shell: Shell,
) -> None:
    newer = "podman quadlet list --filter x\nsystemctl --no-such-option"

    found = unknown(shell, newer)

    verb = "podman quadlet list"
    lacking = {(verb, verb), (verb, "--filter")} if stock.checked_suite() == "trixie" else set()
    assert found == lacking | {("systemctl", "--no-such-option")}


def test_no_program_is_a_script_of_an_interpreter_that_is_missing(shell: Shell) -> None:
    scripts = shell.run("sudo grep -rlIE -m1 '^#!.*(perl|python)' /usr/; true")

    assert scripts.split() == []


def test_only_etc_and_var_can_be_written(shell: Shell) -> None:
    for folder in ("/", "/usr", "/usr/bin", "/boot"):
        result = shell.attempt(f"sudo touch {folder}/probe")
        assert b"Read-only file system" in result.stderr, folder
    for folder in ("/etc", "/var", "/home", "/opt", "/srv", "/usr/local/bin", "/root"):
        shell.run(f"sudo touch {folder}/probe && sudo rm {folder}/probe")


def test_links_lead_into_var(shell: Shell) -> None:
    found = shell.run("readlink -f /home /root /opt /srv /mnt /usr/local")

    assert found.split() == [
        *("/var/home", "/var/roothome", "/var/opt", "/var/srv", "/var/mnt", "/var/usrlocal"),
    ]


def test_scratch_space_is_in_memory_and_container_storage_on_disk(shell: Shell) -> None:
    assert shell.run("findmnt -n -o FSTYPE -T /tmp").strip() == "tmpfs"
    assert shell.run("findmnt -n -o FSTYPE -T /var/tmp").strip() not in {"tmpfs", "overlay"}
    assert shell.run("sudo podman info -f '{{.Store.GraphDriverName}}'").strip() == "overlay"
