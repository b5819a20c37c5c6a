"""The project agrees with itself: settings, commands and scripts with what is said of them."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dotenv import dotenv_values
from invoke.collection import Collection
from invoke.loader import FilesystemLoader
from invoke.parser.context import ParserContext

import fabfile
from deploy.gather import contents
from deploy.node.command import Command
from deploy.node.script import LIBRARIES, MARK, command_line, packed, script_text, scripts
from deploy.settings.load import read_settings
from deploy.settings.model import KEYS, Settings
from tests.root import ROOT
from tests.shell import functions, programs
from tests.stock_node import BUILTINS, FILES, PROGRAMS, UNIT_SCRIPTS

SCRIPTS = sorted(scripts().values())
EXAMPLE = ROOT / ".env.example"


def example_keys() -> list[str]:
    return re.findall(r"^([A-Z]\w*)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)


def tasks() -> dict[str, str]:
    """Read the fabfile as `fab --list` does: each task's name and first line."""
    module, _ = FilesystemLoader(start=str(ROOT)).load("fabfile")
    names = Collection.from_module(module).task_names
    found = Collection.from_module(module)
    return {name: (found[name].__doc__ or "").strip().splitlines()[0] for name in names}


def test_the_example_holds_every_setting_once_and_nothing_else() -> None:
    keys = example_keys()

    assert len(keys) == len(set(keys))
    assert {key for key in keys if not key.startswith(("ENV_", "SECRET_"))} == set(KEYS)


def test_the_example_begins_with_the_five_settings_that_are_enough() -> None:
    assert example_keys()[:5] == ["PROJECT", "IMAGE", "CERT_NAMES", "NODE_ADDRESS", "ACME_EMAIL"]


def test_the_example_shows_how_the_apps_own_variables_are_set() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert [key for key in example_keys() if key.startswith("ENV_")]
    assert "SECRET_" in text


def test_the_example_is_a_working_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    (tmp_path / ".env").write_bytes(EXAMPLE.read_bytes())

    settings = read_settings(tmp_path)

    assert settings.app == "shop-www"
    assert settings.cert_password is None, "an example holds no secret"
    assert settings.smtp_password is None


def test_the_example_gives_what_is_required_a_value() -> None:
    values = dotenv_values(EXAMPLE, interpolate=False)

    fields = Settings.model_fields.items()
    assert all(values[name.upper()] for name, field in fields if field.is_required())


def readme_groups() -> dict[str, list[str]]:
    """Read the README's table: the commands below each group, in its order."""
    found: dict[str, list[str]] = {}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for group, command in re.findall(
        r"^\| (?:\*\*(.+?)\*\*|`fab ([\w-]+)`) \|.*\|$", readme, re.MULTILINE
    ):
        if group:
            found[group] = []
        else:
            found[list(found)[-1]].append(command)
    return found


def contents_groups() -> dict[str, list[str]]:
    """Read what `fab` alone prints: the commands below each group, in its order."""
    found: dict[str, list[str]] = {}
    for line in contents(fabfile.ns).splitlines()[1:]:
        if line.startswith("  "):
            found[list(found)[-1]].append(line.split()[0])
        elif line:
            found[line] = []
    return found


def test_the_readme_and_fab_alone_list_the_same_commands_in_the_same_groups() -> None:
    assert readme_groups() == contents_groups()


def test_every_command_is_in_one_group() -> None:
    listed = [command for group in contents_groups().values() for command in group]

    assert sorted(listed) == sorted(tasks())


@pytest.mark.program
@pytest.mark.parametrize(("module", "loads"), [("app.status", False), ("registry.transport", True)])
def test_fab_status_loads_nothing_that_sends(module: str, *, loads: bool) -> None:
    code = f"import sys, fabfile, deploy.{module}; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    found = set(done.stdout.split())
    assert ("requests" in found) is loads
    assert f"deploy.{module}" in found


@pytest.mark.parametrize("command", sorted(fabfile.ns.task_names))
def test_every_option_of_a_command_has_a_help_text(command: str) -> None:
    lines = ParserContext(args=fabfile.ns[command].get_arguments()).help_tuples()

    assert [option for option, text in lines if not text] == []


@pytest.mark.parametrize("demo", ["demo", "demo-install"])
def test_a_demo_runs_only_commands_that_there_are(demo: str) -> None:
    text = (ROOT / "scripts" / demo).read_text(encoding="utf-8")
    used = set(re.findall(r"\bfab (?:-H \S+ )?([a-z][\w-]+)", text))

    assert {"prepare", "deploy"} <= used <= tasks().keys()


@pytest.mark.program
def test_a_copied_checkout_has_commands_and_templates_but_no_keys_or_settings(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    subprocess.run([program("bash"), ROOT / "scripts/checkout", tmp_path], check=True)

    names = {path.name for path in tmp_path.rglob("*")}
    assert {"fabfile.py", ".env.example", "app.bu"} <= names
    assert names & {".env", "material", "known_hosts", "__pycache__", ".git"} == set()


@pytest.mark.program
def test_an_ordinary_user_s_setup_finds_programs_of_the_administrator(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    if not Path("/usr/sbin/nft").exists():
        pytest.skip("nft is not installed")
    for name, text in (("id", "echo 1000"), ("newuidmap", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    done = subprocess.run(
        [program("bash"), ROOT / "scripts/system-packages"],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "nftables" not in done.stderr


def test_every_command_says_what_it_does_in_one_line() -> None:
    for name, summary in tasks().items():
        assert re.fullmatch(r"[A-Z][^\n]{10,99}\.", summary), name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_remote_script_starts_only_what_a_stock_node_has(script: Path) -> None:
    preamble = "".join(one.read_text(encoding="utf-8") for one in SCRIPTS if one.stem in LIBRARIES)
    text = script.read_text(encoding="utf-8")
    values = dict(re.findall(r"^(\w+)=(/\S+)$", text, re.MULTILINE))
    started = {values.get(word.strip("${}"), word) for word in programs(text)}

    # as_owner runs its words, and each updater has an end of its own.
    own = functions(text) | functions(preamble) | {"$@", "end"}
    assert sorted(started - PROGRAMS - BUILTINS - FILES - own) == []


@pytest.mark.parametrize("script", UNIT_SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_a_unit_starts_only_what_a_stock_node_has(script: Path) -> None:
    text = script.read_text(encoding="utf-8")

    own = functions(text) | {"${@:2}"}  # `secret` runs its words
    assert sorted(set(programs(text)) - PROGRAMS - BUILTINS - own) == []


def test_a_command_reaches_the_node_as_a_program_of_the_node() -> None:
    line = command_line(Command("state", ("shop-www",)))

    assert set(programs(line)) == {"sudo", "bash"} <= PROGRAMS
    assert set(programs(shlex.split(line)[4])) - BUILTINS == {"head", "gzip"} <= PROGRAMS


@pytest.mark.program
def test_a_script_is_unpacked_on_the_node_with_its_words_and_its_input(
    program: Callable[[str], str],
) -> None:
    words = shlex.split(command_line(Command("boot-id", ("a b", "c"))))
    show = words[4] + '; printf \'%s|\' "$0" "$@"; cat'
    given = packed("boot-id") + b"in"

    done = subprocess.run(
        [program("bash"), "-c", show, *words[5:]], input=given, capture_output=True, check=True
    )
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    assert done.stdout == f"{MARK}\n".encode() + boot_id + b"boot-id|a b|c|in"


@pytest.mark.program
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_remote_script_goes_with_all_helpers_that_it_calls_and_bash_can_read_it(
    script: Path, program: Callable[[str], str]
) -> None:
    preamble = "".join(one.read_text(encoding="utf-8") for one in SCRIPTS if one.stem in LIBRARIES)
    text = script_text(script.stem)

    done = subprocess.run(
        [program("bash"), "-n", "-c", text], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert text.startswith("set -euo pipefail\n")
    assert functions(text) >= functions(script.read_text(encoding="utf-8"))
    assert set(programs(text)) & (functions(preamble) - functions(text)) == set()


def test_a_script_goes_without_the_helpers_that_it_does_not_call() -> None:
    assert "audit() {" not in script_text("receive-image")
    assert "serving_slot() {" in script_text("probe")


def test_a_script_waits_for_a_lock_or_a_container_for_a_limited_time() -> None:
    text = "".join(script.read_text(encoding="utf-8") for script in (*SCRIPTS, *UNIT_SCRIPTS))

    assert re.findall(r"^ *[^#\n]*\bflock (?!-[nw] )", text, re.MULTILINE) == []
    executed = re.findall(r".*podman exec .*", text)
    assert len(executed) == 2
    assert all(
        re.search(r"timeout --kill-after=5s \S+ podman exec .* </dev/null", line)
        for line in executed
    )


def test_no_remote_script_flushes_a_firewall_or_prints_a_credential() -> None:
    text = "".join(script.read_text(encoding="utf-8") for script in SCRIPTS)

    assert "flush" not in text
    assert "set -x" not in text
    assert not re.search(r"systemd-creds encrypt[^\n]*\$value", text)


def tracked(program: Callable[[str], str]) -> list[Path]:
    git = program("git")
    done = subprocess.run(
        [git, "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not in a git repository")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.program
@pytest.mark.parametrize(
    "path",
    [
        *("certs/material/shop-www/server.key.enc", "certs/material/authority.key.enc"),
        *("build/shop-www.ign", "build/shop-www.bu", ".env", ".env.staging"),
    ],
)
def test_keys_settings_and_machine_specs_are_never_committed(
    path: str, program: Callable[[str], str]
) -> None:
    tracked(program)
    done = subprocess.run(
        [program("git"), "-C", str(ROOT), "check-ignore", "--quiet", "--no-index", path],
        check=False,
    )
    assert done.returncode == 0


@pytest.mark.program
def test_no_private_key_is_committed(program: Callable[[str], str]) -> None:
    begin = b"-----BEGIN " + b"(RSA |EC |OPENSSH |ENCRYPTED )?PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}"

    assert [path for path in tracked(program) if re.search(begin, path.read_bytes())] == []


@pytest.mark.program
def test_no_file_names_the_folder_it_was_made_in(program: Callable[[str], str]) -> None:
    common = subprocess.run(
        [
            program("git"),
            "-C",
            str(ROOT),
            "rev-parse",
            "--path-format=absolute",
            "--git-common-dir",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # A folder of one name, such as /src, says nothing about whose it is.
    folders = {folder for folder in (ROOT, Path(common).parent) if len(folder.parts) > 2}

    found = [
        path
        for path in tracked(program)
        if any(str(folder).encode() in path.read_bytes() for folder in folders)
    ]
    assert found == []


@pytest.mark.program
def test_no_document_points_out_of_the_project(program: Callable[[str], str]) -> None:
    for path in tracked(program):
        if path.suffix == ".md":
            for link in re.findall(r"(?:\.\.?/)+[\w./-]+", path.read_text(encoding="utf-8")):
                assert (path.parent / link).resolve().is_relative_to(ROOT), (path, link)


@pytest.mark.program
def test_fab_lists_the_commands_that_the_fabfile_has() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fabric", "--list", "--list-format=json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {task["name"]: task["help"] for task in json.loads(done.stdout)["tasks"]} == tasks()
