"""Carry out the steps of a deploy or a rollback: one function for each kind of step."""

import shlex
from collections.abc import Callable, Mapping

from deploy.app import act
from deploy.app.execution import Execution
from deploy.app.health import wait_until_healthy
from deploy.app.plan.steps import Kind, Step
from deploy.app.planner import ask_state
from deploy.console import output, progress
from deploy.image import act as image_act
from deploy.image.transfer import Transfer
from deploy.node import script, session
from deploy.node.archive import pack
from deploy.node.bulk import send_files
from deploy.node.command import Command
from deploy.node.file import File
from deploy.node.release import Manifest

_RESTARTS_OF_A_CRASH_LOOP = 3


def carry_out(execution: Execution, step: Step) -> None:
    """Carry out one step; show its title while it runs.

    Raises:
        DeployError: with the node's error.
    """
    with progress.step(step.title, step.done):
        ACTIONS[step.kind](execution, step)


def _stage(execution: Execution, step: Step) -> None:
    if step.source:
        _stage_again(execution, step.source)
        return
    artifacts = execution.sent()
    files = [File(f"root{unit.path}", unit.content, unit.mode) for unit in artifacts.desired.units]
    files += [
        File("tls/server.crt", artifacts.pair.chain.pem),
        # Encrypted, and readable by the container's user, whose uid is not root's.
        File("tls/server.key.enc", artifacts.pair.key_file),
        File("manifest.json", _written(execution.manifest)),
    ]
    app, release, names = execution.app, execution.release, artifacts.desired.credentials
    staged = act.stage(app, release, execution.previous, names, pack(files))
    execution.run(staged, "staging the release")


def _stage_again(execution: Execution, source: str) -> None:
    arguments = (execution.app, execution.release, source, execution.previous)
    staged = Command("stage-again", arguments, _written(execution.manifest))
    execution.run(staged, f"copying release {source}")


def _image(execution: Execution, _: Step) -> None:
    artifacts, remote = execution.sent(), execution.remote
    target = session.target(execution.project)
    transfer = Transfer(remote, target, execution.settings, artifacts.export)
    transfer.run(execution.before, lambda: ask_state(remote, artifacts))
    image_id = artifacts.desired.image.id
    execution.run(
        image_act.tag_image(execution.app, execution.release, image_id), "tagging the image"
    )


def _files(execution: Execution, _: Step) -> None:
    folder, files = execution.project.files, execution.sent().desired.files
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
    value = execution.sent().credentials.value(name).encode()
    execution.run(act.seal(execution.app, execution.release, name, value), f"sealing {name}")


def _start(execution: Execution, _: Step) -> None:
    mode = execution.settings.switch
    # The old slot may stop before the new one is healthy: the node must be able to undo that alone.
    guards = () if mode == "slots" else (script.line("guard"), script.line("undo"))
    started = act.start(execution.app, execution.release, execution.slot, mode, guards)
    execution.run(started, f"starting slot {execution.slot}")


def _check(execution: Execution, _: Step) -> None:
    settings, host = execution.settings, execution.endpoint.host
    arguments = (
        execution.app,
        execution.slot,
        f"[{host}]" if ":" in host else host,
        settings.health_path,
        execution.manifest.certificate,
        str(settings.health_timeout_seconds),
        str(settings.settle_seconds),
    )
    execution.run(Command("prove-slot", arguments), f"checking slot {execution.slot}")


def _before(execution: Execution, _: Step) -> None:
    settings = execution.settings
    seconds = str(settings.before_switch_seconds)
    arguments = (execution.app, execution.slot, seconds, *settings.before_switch)
    command = Command("before-switch", arguments)
    printed = execution.run(command, f"running {settings.before_switch[0]}")
    output.say(f"  {shlex.join(settings.before_switch)}")
    if printed.strip():
        output.say(printed.rstrip())


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
    state, restarts = execution.run(
        Command("state", (execution.app,)), "reading whether the app runs"
    ).split()
    if state in {"failed", "inactive"}:
        return f"the app is {state}"
    crash_loop = int(restarts) >= _RESTARTS_OF_A_CRASH_LOOP
    return f"the app was restarted {restarts} times" if crash_loop else ""


def _finish(execution: Execution, _: Step) -> None:
    keep, line = execution.settings.keep_releases, execution.audit_line.to_json()
    written = _written(execution.manifest)
    finished = act.finish(execution.app, execution.release, keep, line, written)
    execution.run(finished, "recording the release")


def _retire(execution: Execution, _: Step) -> None:
    retired = act.retire(execution.app, execution.settings.drain_seconds)
    execution.run(retired, f"stopping slot {execution.before.slot}")


def _written(manifest: Manifest) -> bytes:
    return manifest.model_dump_json(indent=1).encode()


# The function for each kind of step.
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
