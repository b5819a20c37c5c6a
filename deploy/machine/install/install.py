"""Verb: from a live system to the installed one, with the machine spec on its disk."""

import contextlib
import shlex
import time
from dataclasses import replace

from certs.host_key import HostKey, new_host_key
from deploy.console import output, progress, prompt
from deploy.errors import DeployError
from deploy.machine.install.first_boot import Awaited, await_first_boot
from deploy.machine.install.live_system import live_target
from deploy.machine.install.plan.disk import Disk
from deploy.machine.install.plan.ignition import with_host_key
from deploy.machine.install.plan.installation import Installation, chosen, refusals
from deploy.machine.install.plan.live_facts import LiveAnswer, Medium, read_medium
from deploy.machine.install.write_disk import Job, verify, write
from deploy.node import session
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.known_hosts import pin, pinned
from deploy.node.login import connect
from deploy.node.remote import Remote
from deploy.node.target import Target, resolve
from deploy.project import Project
from deploy.settings.model import Settings

PATIENCE_SECONDS = 900
_KEYFILES = "/etc/NetworkManager/system-connections"
_SSH_PORT = 22


def install(  # noqa: PLR0913 -- what the command line can say
    project: Project,
    host: str,
    wanted: Installation,
    *,
    fingerprint: str = "",
    dry_run: bool = False,
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Install a machine and wait until the installed system lets us in.

    Raises:
        DeployError: before a disk is written, with every reason; or with what went wrong after.
    """
    began = time.monotonic()
    config = machine_spec(project)
    live = live_target(project, host, fingerprint=fingerprint)
    installed = _installed_target(project, live)
    key = new_host_key()
    with connect(live, session.passphrase_prompt()) as remote:
        medium = _probe(remote, wanted)
        wanted = _completed(project.settings, wanted, medium)
        if wanted.device != medium.device:
            medium = _probe(remote, wanted)
        job = _job(wanted, medium, config, key)
        if dry_run:
            output.say(shlex.join(job.argv))
            output.say("nothing was written: every check has passed, and this was a dry run")
            return
        write(remote, job)
        verify(remote, job)
        awaited = _awaited(installed, live, job, medium)
        pin(installed.known_hosts, *resolve(installed), (job.public,))
        output.good(f"the host key that it will show is pinned: {key.fingerprint}")
        # The answer may not come: the machine goes down.
        with contextlib.suppress(DeployError):
            remote.run(Command("restart"))
    with progress.step("restarting into the installed system"):
        await_first_boot(awaited, seconds, session.passphrase_prompt())
    output.good(f"{live.host} runs the installed system after {time.monotonic() - began:.0f} s")
    output.say(f"next: {_next(project.settings, installed)}")


def machine_spec(project: Project) -> bytes:
    """Read the app's Ignition file.

    Raises:
        DeployError: when there is none yet.
    """
    path = project.ignition
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DeployError(f"{path} does not exist", "make it with `fab prepare`") from error


def _installed_target(project: Project, live: Target) -> Target:
    found = session.target(
        Project(project.folder, project.settings.model_copy(update={"node_address": live.host}))
    )
    # Through the same tunnel or forwarded port as the medium, unless settings name another.
    return replace(found, port=project.settings.node_port or live.port)


def _probe(remote: Remote, wanted: Installation) -> Medium:
    keyfiles = wanted.network_dir or _KEYFILES
    answer = remote.checked(
        Command("medium", (wanted.device or "-", keyfiles)),
        "looking at the live system",
        "boot the machine from Fedora CoreOS's live medium (`fab iso`, `fab pxe`)",
    )
    return read_medium(read_answer(LiveAnswer, answer, "what the live system has"))


def _completed(settings: Settings, wanted: Installation, medium: Medium) -> Installation:
    """Fill in what was not said: the disk, by asking; the data partition, from the settings."""
    _show(medium)
    if not wanted.device:
        if not prompt.has_terminal():
            raise DeployError(
                "no disk is named, and nobody is there to ask",
                f"give one with --device: {', '.join(one.path for one in medium.disks) or 'none'}",
            )
        wanted = replace(wanted, device=prompt.ask("Which disk, by its whole name?"))
    disk = chosen(medium)
    label = settings.data_partition
    saved = {*wanted.save_partlabel}
    if disk and label and label in disk.labels and label not in saved:
        output.say(f"the data partition {label} is kept")
        wanted = replace(wanted, save_partlabel=(*wanted.save_partlabel, label))
    return wanted


def _show(medium: Medium) -> None:
    rows = [
        (one.path, output.size(one.size), _hardware(one), ", ".join(one.contents) or "empty")
        for one in medium.disks
    ]
    output.table(f"disks of {medium.system}", ("disk", "size", "model", "contents"), rows)


def _hardware(disk: Disk) -> str:
    return " ".join(filter(None, (disk.model, disk.serial, disk.link))) or "-"


def _job(wanted: Installation, medium: Medium, config: bytes, key: HostKey) -> Job:
    whole = with_host_key(config, key.private, key.public)
    found = refusals(wanted, medium, whole)
    if found:
        count = "1 reason" if len(found) == 1 else f"{len(found)} reasons"
        raise DeployError(
            f"nothing was written, for {count}:\n" + "\n".join(f"  {one.reason}" for one in found),
            "\n".join(one.remedy for one in found),
        )
    return Job(wanted, medium.device, key.public, whole)


def _awaited(installed: Target, live: Target, job: Job, medium: Medium) -> Awaited:
    host, port = resolve(installed)
    old = pinned(installed.known_hosts, host, port)
    live_keys = pinned(live.known_hosts, *resolve(live))
    return Awaited(installed, job.public, live, live_keys[0], medium.boot_id, old)


def _next(settings: Settings, installed: Target) -> str:
    if settings.node_address == installed.host:
        return "fab deploy --first"
    port = f":{installed.port}" if installed.port not in {None, _SSH_PORT} else ""
    return f"fab -H {installed.user}@{installed.host}{port} deploy --first"
