"""The commands of every module make one collection, with a table of contents."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.gather import contents, gather
from deploy.options import folder_of
from deploy.task import task


def module() -> ModuleType:
    found = ModuleType("commands")

    @task("image")
    def send_it(context: Context) -> None:
        """Send something."""

    @task("look")
    def see(context: Context) -> None:
        """See something."""

    @task("image", bare="image")
    def try_it(context: Context, *, image: str = "", lines: int = 1) -> None:
        """Try something."""

    vars(found).update(send_it=send_it, see=see, try_it=try_it)
    return found


def test_every_task_of_a_module_is_a_command_and_help_is_what_fab_alone_runs(
    tmp_path: Path,
) -> None:
    found = gather([module()], tmp_path)

    assert sorted(found.task_names) == ["help", "see", "send-it", "try-it"]
    assert found.default == "help"


def test_the_contents_list_commands_by_group(tmp_path: Path) -> None:
    text = contents(gather([module()], tmp_path))

    assert [line for line in text.splitlines()[1:] if line and line[0] != " "] == [
        *("prepare and install", "deploy and go back", "look", "proxy"),
        "certificates and credentials",
        *("access", "image", "registry", "rehearsal"),
    ]
    assert "look\n  see      See something.\n  help     List every command" in text
    assert "image\n  send-it  Send something.\n  try-it   Try something.\n" in text


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (["send-it", "--help"], "send-it"),
        (["-H", "web1", "send-it", "a", "--help"], "send-it"),
        (["--help", "send-it"], ""),
        (["send-it", "-h"], "send-it"),
        (["send-it", "--lines", "-h"], "send-it"),
        (["-h", "send-it"], ""),
        (["send-it", "help"], ""),
        (["--help"], ""),
    ],
)
def test_help_after_a_command_is_help_about_it_even_where_an_argument_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], asked: str
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: started.append(words))
    monkeypatch.setattr(sys, "argv", ["fab", *typed])

    gather([module()], tmp_path)

    assert started == ([(sys.executable, "fab", "--help", asked)] if asked else [])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["try-it", "shop:1", "--lines", "3"], ["try-it", "--image=shop:1", "--lines", "3"]),
        (["--debug", "try-it", "shop:1"], ["--debug", "try-it", "--image=shop:1"]),
        (["try-it"], None),
        (["try-it", "--image=shop:1"], None),
        (["send-it", "try-it"], None),
    ],
)
def test_a_word_after_a_command_can_stand_for_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], meant: list[str] | None
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: started.append(words))
    monkeypatch.setattr(sys, "argv", ["fab", *typed])

    gather([module()], tmp_path)

    assert started == ([(sys.executable, "fab", *meant)] if meant else [])


def test_a_command_knows_the_folder_of_its_fabfile(tmp_path: Path) -> None:
    config = Config()
    config.load_collection(gather([module()], tmp_path).configuration())

    assert folder_of(Context(config)) == tmp_path


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["image"], "renamed: fab os-image"),
        (["-H", "core@web1", "node-up", "--name", "x"], "renamed: fab rehearsal-up"),
        (["--debug", "rehearse", "hang"], "renamed: fab rehearsal-fault"),
        (["cert-rotate-host"], "renamed: fab host-key-rotate"),
    ],
)
def test_an_old_name_is_answered_by_the_new_one(
    typed: list[str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["fab", *typed])

    with pytest.raises(Exit) as refused:
        gather([module()], tmp_path)
    assert (refused.value.message, refused.value.code) == (message, 1)


@pytest.mark.parametrize(
    "typed",
    [
        ["-H", "core@", "see"],
        ["see", "-H", "web1:ssh"],
        ["--hosts=web1,web2:65536", "see"],
        ["-H=:22", "see"],
    ],
)
def test_what_is_no_node_after_the_option_for_nodes_is_refused(
    typed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["fab", *typed])

    with pytest.raises(Exit, match=r"-H: .* is not a node") as refused:
        gather([module()], tmp_path)
    assert refused.value.code == 1


@pytest.mark.parametrize("typed", [["-H", "core@web1:2222,[fd00::1]:22", "see"], ["see", "-H"]])
def test_nodes_are_left_to_fabric(
    typed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["fab", *typed])

    assert gather([module()], tmp_path)


def test_an_old_name_as_an_options_value_is_no_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["fab", "deploy", "--name", "image"])

    assert gather([module()], tmp_path)
