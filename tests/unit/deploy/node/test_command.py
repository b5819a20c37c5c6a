"""A command's stdin is never shown."""

import pytest

from deploy.access import act as access_act
from deploy.certificate import act as certificate_act
from deploy.image import act as image_act
from deploy.node.command import Command
from deploy.node.file import File

COMMANDS = [
    (Command("undo", ("app",)), "undo app"),
    (Command("seal", ("app", "r2", "cert_pass"), b"hunter2"), "seal app r2 cert_pass"),
    (image_act.tag_image("app", "r2", "sha256:1"), "tag-image app r2 sha256:1"),
    (certificate_act.certificate_stage("app", "r2", b"hunter2"), "certificate-stage app r2"),
    (certificate_act.certificate_seal("app", "r2", b"hunter2"), "certificate-seal app r2"),
    (certificate_act.certificate_swap("app", "r2", "HUP"), "certificate-swap app r2 HUP"),
    (certificate_act.certificate_undo("app", "r2", "HUP"), "certificate-undo app r2 HUP"),
    (certificate_act.certificate_finish("app", "r2", "{}"), "certificate-finish app r2 {}"),
    (access_act.access_list("core"), "access-list core"),
    (access_act.access_add("core", "corefab-ann.1", "hunter2"), "access-add core corefab-ann.1"),
    (access_act.access_drop("core", ("hunter2",), ("AAAA",)), "access-drop core"),
]


@pytest.mark.parametrize(("made", "words"), COMMANDS)
def test_a_command_prints_its_arguments_and_never_its_stdin(made: Command, words: str) -> None:
    assert str(made) == words
    assert "hunter2" not in repr(made)
    assert "stdin" not in repr(made)


def test_a_files_content_is_not_in_its_repr() -> None:
    assert "hunter2" not in repr(File("/etc/x", b"hunter2"))
