"""Carry out the steps of a deploy or a rollback: one function a step."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deploy.app import act
from deploy.app.health import wait_until_healthy
from deploy.app.plan.steps import Kind, Step
from deploy.app.planner import DesiredState, ask_state
from deploy.console import output, progress
from deploy.image import act as image_act
from deploy.image.transfer import Transfer
from deploy.node import script, session
from deploy.node.archive import pack
from deploy.node.audit_line import AuditLine
from deploy.node.bulk import send_files
from deploy.node.command import Command
from deploy.node.endpoint import Endpoint
from deploy.node.file import File
from deploy.node.release import Manifest
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.plan.addresses import other

_RESTARTS_OF_A_CRASH_LOOP = 3


@dataclass(frozen=True, slots=True)
class Execution:
    """A release on its way to one node: what it is, and what the node held before.

    `what` names the change in the node's journal. `desired` is the material of a deploy; a
    rollback has none, for all it needs is on the node.
    """

    remote: Remote
    project: Project
    endpoint: Endpoint
    manifest: Manifest
    before: NodeState
    what: str = "deploy"
    desired: DesiredState | None = None

    @property
    def app(self) -> str:
        """The app."""
        return self.manifest.app

    @property
    def release(self) -> str:
        """The release that takes over."""
        return self.manifest.release

    @property
    def previous(self) -> str:
        """The release that serves until then; empty for none."""
        return self.before.manifest.release if self.before.manifest else ""

    @property
    def slot(self) -> str:
        """The slot that the release starts in."""
        return other(self.before.slot)

    @property
    def settings(self) -> Settings:
        """The app's settings."""
        return self.project.settings

    @property
    def audit_line(self) -> AuditLine:
        """The line about this change in the node's journal."""
        manifest = self.manifest
        return AuditLine(
            at=manifest.at,
            app=manifest.app,
            what=self.what,
            who=manifest.by,
            release=manifest.release,
            previous=self.previous,
            image=manifest.image_id,
            commit=manifest.commit,
            dirty=manifest.dirty,
        )

    def run(self, wanted: Command, doing: str) -> str:
        """Run a command that has to succeed; give what it printed.

        Raises:
            DeployError: saying that `doing` failed, and what the node said.
        """
        return self.remote.checked(wanted, doing)


def carry_out(execution: Execution, step: Step) -> None:
    """Carry out one step, shown while it runs.

    Raises:
        DeployError: with what the node said.
    """
    with progress.step(step.title, step.done):
        ACTIONS[step.kind](execution, step)


def _material(execution: Execution) -> DesiredState:
    if execution.desired is None:
        raise ValueError("a rollback brings nothing to the node")
    return execution.desired


def _stage(execution: Execution, step: Step) -> None:
    if step.source:
        _stage_again(execution, step.source)
        return
    desired = _material(execution)
    files = [File(f"root{unit.path}", unit.content, unit.mode) for unit in desired.wanted.units]
    files += [
        File("tls/server.crt", desired.pair.chain.pem),
        # Encrypted; the container's user, which has a number of its own, has to read it.
        File("tls/server.key.enc", desired.pair.key_file),
        File("manifest.json", _written(execution.manifest)),
    ]
    app, release, names = execution.app, execution.release, desired.wanted.credentials
    staged = act.stage(app, release, execution.previous, names, pack(files))
    execution.run(staged, "staging the release")


def _stage_again(execution: Execution, source: str) -> None:
    words = (execution.app, execution.release, source, execution.previous)
    again = Command("stage-again", words, _written(execution.manifest))
    execution.run(again, f"staging release {source} again")


def _image(execution: Execution, _: Step) -> None:
    desired, remote = _material(execution), execution.remote
    target = session.target(execution.project)
    transfer = Transfer(remote, target, execution.settings, desired.export)
    transfer.run(execution.before, lambda: ask_state(remote, desired))
    image_id = desired.wanted.image.id
    execution.run(
        image_act.tag_image(execution.app, execution.release, image_id), "tagging the image"
    )


def _files(execution: Execution, _: Step) -> None:
    folder, files = execution.project.files, _material(execution).wanted.files
    if folder and files:
        home = f"/var/lib/{execution.app}"
        send_files(
            session.target(execution.project),
            folder,
            files,
            into=f"{home}/releases/{execution.release}/files",
            like=f"{home}/current/files",
        )


def _seal(execution: Execution, step: Step) -> None:
    name = step.credential
    value = _material(execution).credentials.value(name).encode()
    execution.run(act.seal(execution.app, execution.release, name, value), f"sealing {name}")


def _start(execution: Execution, _: Step) -> None:
    mode = execution.settings.switch
    # What serves may stop before the new release is proven: the node must not need us then.
    guards = () if mode == "slots" else (script.line("guard"), script.line("undo"))
    started = act.start(execution.app, execution.release, execution.slot, mode, guards)
    execution.run(started, f"starting slot {execution.slot}")


def _check(execution: Execution, _: Step) -> None:
    settings, host = execution.settings, execution.endpoint.host
    words = (
        execution.app,
        execution.slot,
        f"[{host}]" if ":" in host else host,
        settings.health_path,
        execution.manifest.certificate,
        str(settings.health_timeout_seconds),
        str(settings.settle_seconds),
    )
    execution.run(Command("prove-slot", words), f"checking slot {execution.slot}")


def _before(execution: Execution, _: Step) -> None:
    settings = execution.settings
    seconds = str(settings.before_switch_seconds)
    words = (execution.app, execution.slot, seconds, *settings.before_switch)
    said = execution.run(Command("before-switch", words), f"running {settings.before_switch[0]}")
    output.say(f"  {shlex.join(settings.before_switch)}")
    if said.strip():
        output.say(said.rstrip())


def _move(execution: Execution, _: Step) -> None:
    moved = act.move(execution.app, execution.release)
    gap = execution.run(moved, "moving the front door").strip()
    if gap:
        output.say(f"  the front door held for {gap} ms")


def _prove(execution: Execution, _: Step) -> None:
    settings = execution.settings
    wait_until_healthy(
        execution.endpoint,
        settings.health_path,
        execution.manifest.certificate,
        timeout_seconds=settings.health_timeout_seconds,
        died=lambda: _died(execution),
    )


def _died(execution: Execution) -> str:
    word, restarts = execution.run(
        Command("state", (execution.app,)), "asking whether the app runs"
    ).split()
    if word in {"failed", "inactive"}:
        return f"the app is {word}"
    looping = int(restarts) >= _RESTARTS_OF_A_CRASH_LOOP
    return f"the app was restarted {restarts} times" if looping else ""


def _finish(execution: Execution, _: Step) -> None:
    keep, line = execution.settings.keep_releases, execution.audit_line.written()
    written = _written(execution.manifest)
    finished = act.finish(execution.app, execution.release, keep, line, written)
    execution.run(finished, "recording the release")


def _retire(execution: Execution, _: Step) -> None:
    retired = act.retire(execution.app, execution.settings.drain_seconds)
    execution.run(retired, f"stopping slot {execution.before.slot}")


def _written(manifest: Manifest) -> bytes:
    return manifest.model_dump_json(indent=1).encode()


# What carries out each kind of step: the only place that knows.
ACTIONS: Mapping[Kind, Callable[[Execution, Step], None]] = {
    "stage": _stage,
    "image": _image,
    "files": _files,
    "seal": _seal,
    "start": _start,
    "check": _check,
    "before": _before,
    "move": _move,
    "prove": _prove,
    "finish": _finish,
    "retire": _retire,
}
