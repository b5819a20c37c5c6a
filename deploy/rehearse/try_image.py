"""Verb: try an image on a node made for it, and print the settings that it needs."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certs.ssh import new_ssh_key
from deploy.console import output
from deploy.image.open import at_absolute_path, source_of
from deploy.image.send import image_send
from deploy.node import session
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.rehearse import nodes
from deploy.rehearse.plan.observation import Observation
from deploy.rehearse.plan.report import describe, notes, outcome, problem, rows
from deploy.rehearse.plan.search import Lines, Trial, Verdict, search
from deploy.rehearse.plan.wanted import wanted
from deploy.settings.model import KEYS, REHEARSAL, Settings
from deploy.spec.spec import spec_from_settings
from deploy.workstation.files import write_atomically
from rehearsal import lifecycle

_NODE = re.compile(r"try-([0-9]+)")
_FOLDER = "corefab-try-"
# What requests name as the host where `.env` names none.
_HOST = "localhost"


def try_image(project: Project, *, seconds: int) -> int:
    """Run IMAGE in several ways on a node of its own; return 0 where it can be deployed.

    Of the project's settings only the image, its cache, its command and variables are used.

    Raises:
        DeployError: when the image is not here, or the node cannot be made.
    """
    given = project.settings
    image = at_absolute_path(given.image, project.folder)
    source_of(image, project.folder).image()
    _remove_left()
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        usual = {
            "PROJECT": f"try-{os.getpid()}", "IMAGE": image, "NODE_ADDRESS": REHEARSAL,
            "CERT_NAMES": _HOST, "SSH_KEYS": "id.pub", "IDENTITY_FILE": "id",
            "TLS": "none", "HTTP_PORT": "80", "IMAGE_CACHE": str(project.image_cache),
            "IMAGE_CACHE_MEGABYTES": str(given.image_cache_megabytes),
            "ENV_*": given.environment,
        }  # fmt: skip
        settings = Settings.model_validate(usual)
        settings = settings.model_copy(update={"container_command": given.container_command})
        own = Project(Path(folder), settings)
        with _node(own):
            image_send((own,), events=False)
            if given.environment:
                named = ", ".join(f"ENV_{name}" for name in sorted(given.environment))
                output.say(f"  its environment has {named} of .env")
            with session.open_session(own) as remote:
                found = try_on(remote, own, seconds)
    return report(given.image, found)


def try_on(remote: Remote, project: Project, seconds: int) -> Verdict:
    """Run one trial after another on a node that has the image, none twice.

    Raises:
        DeployError: when the node cannot run it, or says what cannot be read.
    """
    seen: dict[str, Observation] = {}
    trials = search(seconds)
    trial = next(trials)
    while True:
        key = json.dumps(trial.lines, sort_keys=True)
        if key not in seen:
            seen[key] = _run(remote, project, trial)
            output.say(f"  {describe(trial.lines)}: {outcome(seen[key])}")
        try:
            trial = trials.send(seen[key])
        except StopIteration as done:
            verdict: Verdict = done.value
            return verdict


def report(image: str, found: Verdict) -> int:
    """Print what was found, and the settings; return 0 where the image can be deployed."""
    output.table(f"{image} was tried", ("what", "found"), list(rows(found)))
    if wrong := problem(found):
        output.fail(wrong.message, wrong.hint)
        return 1
    for note in notes(found):
        output.warn(note)
    lines = {"IMAGE": image, **(found.lines or {})}
    output.say("\nthe lines for .env; everything else has a default that works:\n")
    for key in sorted(lines, key=KEYS.index):
        output.say(f"{key}={lines[key]}")
    return 0


def _remove_left() -> None:
    """Remove the nodes of tries that were killed, and their folders; never an operator's node."""
    for one in lifecycle.status():
        match = _NODE.fullmatch(one.name)
        if not match or not one.owner or not one.owner.name.startswith(_FOLDER):
            continue
        if not Path("/proc", match[1]).exists():
            lifecycle.down(one.name, one.owner)
            shutil.rmtree(one.owner, ignore_errors=True)


@contextmanager
def _node(project: Project) -> Iterator[None]:
    """Have a node with a key of its own until the block ends."""
    key = new_ssh_key()
    write_atomically(project.folder / "id", key.private, 0o600)
    write_atomically(project.folder / "id.pub", f"{key.public}\n".encode(), 0o600)
    spec = spec_from_settings(project)
    write_atomically(project.ignition, spec.ignition.encode(), 0o600)
    try:
        nodes.up(project)
        yield
    finally:
        nodes.down(project, project.settings.project)


def _run(remote: Remote, project: Project, trial: Trial) -> Observation:
    settings = _with(project.settings, trial.lines)
    image = f"localhost/{settings.app}:sent"
    arguments = (image, settings.cert_names[0], str(max(1, round(trial.seconds))))
    command = Command("try-image", arguments, json.dumps(wanted(settings)).encode())
    said = remote.checked(command, "running the image")
    return read_answer(Observation, said, "what the image did")


def _with(settings: Settings, lines: Lines) -> Settings:
    """Read the settings of a trial as they would be read from `.env`."""
    changed = Settings.model_validate(
        {"PROJECT": settings.project, "IMAGE": settings.image, "CERT_NAMES": "try", **lines}
    )
    fields = {key.lower(): getattr(changed, key.lower()) for key in lines}
    return settings.model_copy(update=fields)
