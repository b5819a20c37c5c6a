"""Commands are words; what they read is never shown."""

import pytest

from deploy.node import command
from deploy.node.command import Command
from deploy.node.file import File

COMMANDS = [
    (command.stage("app", "r2", "r1", ("cert_pass",), b"hunter2"), "stage app r2 r1 cert_pass"),
    (command.tag_image("app", "r2", "sha256:1"), "tag-image app r2 sha256:1"),
    (command.seal("app", "r2", "cert_pass", b"hunter2"), "seal app r2 cert_pass"),
    (command.start("app", "r2", "green", "slots"), "start app r2 green slots"),
    (command.move("app", "r2"), "move app r2"),
    (command.retire("app", 30), "retire app 30"),
    (command.logs("app", 20, "r2"), "logs app 20 r2"),
    (command.undo("app"), "undo app"),
    (command.certificate_stage("app", "r2", b"hunter2"), "certificate-stage app r2"),
    (command.certificate_seal("app", "r2", b"hunter2"), "certificate-seal app r2"),
    (command.certificate_swap("app", "r2", "HUP"), "certificate-swap app r2 HUP"),
    (command.certificate_undo("app", "r2", "HUP"), "certificate-undo app r2 HUP"),
    (command.certificate_finish("app", "r2", "{}"), "certificate-finish app r2 {}"),
    (command.access_list("core"), "access-list core"),
    (command.access_add("core", "corefab-ann.1", "hunter2"), "access-add core corefab-ann.1"),
    (command.access_drop("core", "AAAA", ("hunter2",)), "access-drop core AAAA"),
    (command.finish("app", "r2", 5, "{}", b"hunter2"), "finish app r2 5 {}"),
    (command.audit("{}"), "audit {}"),
]


@pytest.mark.parametrize(("made", "words"), COMMANDS)
def test_a_command_says_its_words_and_never_what_it_reads(made: Command, words: str) -> None:
    assert str(made) == words
    assert "hunter2" not in repr(made)
    assert "stdin" not in repr(made)


def test_content_is_read_and_never_an_argument() -> None:
    sealed = command.seal("app", "r2", "cert_pass", b"hunter2")

    assert sealed.stdin == b"hunter2"
    assert "hunter2" not in sealed.arguments


def test_a_files_content_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(File("/etc/x", b"hunter2"))
