"""Carry out the steps of a deploy or a rollback: one function for each kind of step."""

import shlex
from collections.abc import Callable, Mapping

from deploy.app.execution import Execution
from deploy.app.health import wait_until_healthy
from deploy.app.plan.steps import Kind, Step
from deploy.app.planner import ask_state
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.image.transfer import Transfer
from deploy.node import script, session
from deploy.node.answer import reading
from deploy.node.bulk import send_files
from deploy.node.file import File, pack
from deploy.node.release import Manifest
from deploy.receipt.store import files as files_of
from deploy.spec.project_files import mode_of
from deploy.spec.route_lines import in_own_file

_RESTARTS_OF_A_CRASH_LOOP = 3
# For a first deploy: an image that has served before needs no other settings.
_TRY_FIRST = "`fab try` runs the image on a throwaway node and prints the settings that it needs"


def carry_out(execution: Execution, step: Step) -> None:
    """Carry out one step; show its title while it runs.

    An old slot that does not stop is only a warning, since the new one serves.

    Raises:
        DeployError: with the node's error.
    """
    try:
        with progress.step(step.title, step.done):
            ACTIONS[step.kind](execution, step)
    except DeployError as error:
        if step.kind != "retire":
            raise
        output.warn(
            f"{error.message}; the release is recorded and serves, and the old slot stops by "
            "itself or with the next `fab deploy`"
        )


def _stage(execution: Execution, step: Step) -> None:
    release, previous = execution.release, execution.before.release
    if step.source:
        manifest, doing = _written(execution.manifest), f"copying release {step.source}"
        execution.run(doing, "stage-again", release, step.source, previous, stdin=manifest)
        _stage_receipt(execution)
        return
    artifacts = execution.sent()
    files = [File(f"root{unit.path}", unit.content, unit.mode) for unit in artifacts.desired.units]
    if artifacts.pair:
        files += artifacts.pair.files(execution.settings)
    files.append(File("manifest.json", _written(execution.manifest)))
    arguments = (release, previous, *artifacts.desired.credentials)
    execution.run("staging the release", "stage", *arguments, stdin=pack(files))
    _stage_receipt(execution)


def _stage_receipt(execution: Execution) -> None:
    if execution.receipt:
        packed = pack(files_of(execution.receipt, "receipt"))
        execution.run("staging the receipt", "receipt-stage", execution.release, stdin=packed)


def _image(execution: Execution, _: Step) -> None:
    artifacts, remote = execution.sent(), execution.remote
    target = session.target(execution.project)
    transfer = Transfer(remote, target, execution.settings, artifacts.export)
    transfer.run(execution.before, lambda: ask_state(remote, artifacts))
    image_id = artifacts.desired.image.id
    execution.run("tagging the image", "tag-image", execution.release, image_id)


def _files(execution: Execution, _: Step) -> None:
    folder, files = execution.project.files, execution.sent().desired.files
    if folder and files:
        home = f"/var/lib/{execution.app}"
        send_files(
            execution.remote,
            folder,
            {name: mode_of(mark) for name, mark in files.items()},
            into=f"{home}/releases/{execution.release}/files",
            like=f"{home}/current/files",
        )


def _seal(execution: Execution, step: Step) -> None:
    name = step.credential
    value = execution.sent().credentials.value(name).encode()
    execution.run(f"sealing {name}", "seal", execution.release, name, stdin=value)


def _start(execution: Execution, _: Step) -> None:
    mode, slot = execution.switch, execution.slot
    # The old slot may stop before the new one is healthy: the node must be able to undo that alone.
    guards = "" if mode == "slots" else f"{script.line('guard')}\n{script.line('undo')}\n"
    arguments = (execution.release, slot, mode)
    try:
        warnings = execution.run(
            f"starting slot {slot}", "start", *arguments, stdin=guards.encode()
        )
    except DeployError as error:
        # The proxy checks the route, and knows it as a file of its own.
        raise DeployError(in_own_file(error.message, execution.project), error.hint) from error
    for line in warnings.splitlines():
        output.warn(line)


def _check(execution: Execution, _: Step) -> None:
    settings = execution.settings
    arguments = (
        execution.slot,
        execution.proof.tls,
        execution.endpoints[0].authority,
        execution.proof.path,
        execution.manifest.certificate,
        str(settings.health_timeout_seconds),
        str(settings.settle_seconds),
    )
    hint = "" if execution.before.release else _TRY_FIRST
    execution.run(f"checking slot {execution.slot}", "prove-slot", *arguments, hint=hint)


def _before(execution: Execution, _: Step) -> None:
    settings = execution.settings
    words, seconds = settings.before_switch, str(settings.before_switch_seconds)
    doing = f"running {words[0]}"
    printed = execution.run(doing, "before-switch", execution.slot, seconds, *words)
    output.say(f"  {shlex.join(words)}")
    if printed.strip():
        output.say(printed.rstrip())


def _move(execution: Execution, _: Step) -> None:
    gap = execution.run("moving the front door", "move", execution.release).strip()
    if gap:
        output.say(f"  the front door held for {gap} ms")


def _prove(execution: Execution, _: Step) -> None:
    settings = execution.settings
    wait_until_healthy(
        execution.endpoints,
        execution.proof.path,
        execution.manifest.certificate,
        timeout_seconds=settings.health_timeout_seconds,
        died=lambda: _died(execution),
    )


def _died(execution: Execution) -> str:
    what = "whether the app runs"
    answer = execution.run(f"reading {what}", "state")
    with reading(what):
        state, count = answer.split()
        restarts = int(count)
    if state in {"failed", "inactive"}:
        return f"the app is {state}"
    crash_loop = restarts >= _RESTARTS_OF_A_CRASH_LOOP
    return f"the app was restarted {restarts} times" if crash_loop else ""


def _finish(execution: Execution, _: Step) -> None:
    keep, line = str(execution.settings.keep_releases), execution.audit_line.to_json()
    arguments, written = (execution.release, keep, line), _written(execution.manifest)
    execution.run("recording the release", "finish", *arguments, stdin=written)


def _retire(execution: Execution, _: Step) -> None:
    seconds = str(execution.settings.drain_seconds)
    execution.run(f"stopping slot {execution.before.slot}", "retire", seconds)


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
