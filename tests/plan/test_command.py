"""Commands are words; what they read is never shown."""

import pytest

from deploy.plan import command
from deploy.plan.command import Command
from deploy.plan.files import File

COMMANDS = [
    (command.stage("app", "r2", "r1", ("cert_pass",), b"hunter2"), "stage app r2 r1 cert_pass"),
    (command.tag_image("app", "r2", "sha256:1"), "tag-image app r2 sha256:1"),
    (command.seal("app", "r2", "cert_pass", b"hunter2"), "seal app r2 cert_pass"),
    (command.switch("app", "r2"), "switch app r2"),
    (command.undo("app"), "undo app"),
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
