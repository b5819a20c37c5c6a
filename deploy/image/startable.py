"""Check, before it is sent, that a container of an image can start."""

from deploy.errors import DeployError
from deploy.image.export.export import Export


def refuse_unstartable(export: Export, *, command_set: bool, own_user: bool, sent: bool) -> None:
    """Check that an image has a command, and the user and group that its config names.

    `command_set`: a unit may set the command. `own_user`: the container runs as the image's user.
    `sent`: the image is on the node, so its layers need not be read for the user.

    Raises:
        DeployError: when a container of it cannot start.
    """
    image = export.image
    if not image.run.has_command and not command_set:
        raise DeployError(
            f"the image {image.name} has no command: its config has neither Entrypoint nor Cmd",
            "add CMD to its Containerfile and build it again",
        )
    if own_user and not sent:
        user, _, group = image.run.user.partition(":")
        _refuse_unknown(export, "user", user, "etc/passwd")
        _refuse_unknown(export, "group", group, "etc/group")


def _refuse_unknown(export: Export, noun: str, name: str, file: str) -> None:
    if not name or name.isdecimal():
        return
    listed = export.read_file(file)
    if listed is None or any(one.startswith(f"{name}:".encode()) for one in listed.splitlines()):
        return
    raise DeployError(
        f"the image {export.image.name} runs as the {noun} {name}, which its /{file} does not have",
        f"add the {noun} in its Containerfile (`RUN {noun}add {name}`), or write a number: "
        "`USER 1000:1000`",
    )
