"""Verbs: have a node look at the tag that an app follows, and show what came of its last look."""

from deploy.app.look import looking
from deploy.console import output
from deploy.node import session
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.journal import MACHINE
from deploy.node.pull_result import WELL, BundleLook, Look
from deploy.project import Project


def pull(project: Project, *, now: bool, as_json: bool) -> int:
    """Show the node's last look at the tag; with `now`, have it look first.

    Return 0 when it serves what it should, or waits; 1 for anything else.

    Raises:
        DeployError: when the app follows no tag there.
    """
    settings = project.settings
    doing = f"{'taking what the tag names' if now else 'reading the last look'}: {settings.app}"
    with session.open_session(project) if now else looking(project) as remote:
        command = Command("pull-status", (settings.app, *(("now",) if now else ())))
        answer = remote.checked(command, doing)
        trouble = remote.trouble
    look = read_answer(Look, answer, "the result of the node's updater")
    if as_json:
        output.as_json(look.model_dump(mode="json"))
    else:
        _show(settings.app, look)
    return 0 if look.result in WELL and not trouble else 1


def bundle_status(project: Project, *, as_json: bool) -> int:
    """Show the node's last look at its bundle; return as `pull` does.

    Raises:
        DeployError: when the node takes no bundles.
    """
    with looking(project) as remote:
        command = Command("pull-status", (MACHINE,))
        answer = remote.checked(command, "reading the last look at the node's bundle")
        trouble = remote.trouble
    look = read_answer(BundleLook, answer, "the result of the node's updater")
    if as_json:
        output.as_json(look.model_dump(mode="json"))
    else:
        _say(project.settings.pull_node, look)
        spec = look.spec[:12] or "unknown"
        output.say(f"  {look.reference} {_named(look)}; serial {look.serial}, spec {spec}")
    return 0 if look.result in WELL and not trouble else 1


def _show(app: str, look: Look) -> None:
    _say(app, look)
    output.say(f"  {look.reference} {_named(look)}; release {look.release or 'none'} serves")


def _say(of: str, look: Look | BundleLook) -> None:
    why = f": {look.why}" if look.why else ""
    output.say(f"{of}: {look.result}{why} ({look.at:%Y-%m-%d %H:%M:%S} UTC)")


def _named(look: Look | BundleLook) -> str:
    return f"names {look.digest}" if look.digest else "was not read"
