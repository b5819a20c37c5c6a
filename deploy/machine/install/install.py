"""Verb: install a machine from its live system, and wait for its first boot."""

import contextlib
import shlex
import time
from dataclasses import replace

from certs.ssh import SshKey, new_ssh_key
from deploy.console import output, progress, prompt
from deploy.console.size import size
from deploy.errors import DeployError
from deploy.machine.install.first_boot import Awaited, await_first_boot
from deploy.machine.install.live_system import live_target
from deploy.machine.install.plan.ignition import with_host_key
from deploy.machine.install.plan.installation import chosen, refusals
from deploy.machine.install.plan.live_facts import Disk, LiveFacts
from deploy.machine.install.plan.options import Installation
from deploy.machine.install.write_disk import Job, verify, write
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.host_key import fingerprint_of
from deploy.node.known_hosts import pin, pinned
from deploy.node.login import connect
from deploy.node.remote import Remote
from deploy.node.session import passphrase_prompt, refuse_closed
from deploy.node.target import Target, known_as
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.spec import prepared_spec

PATIENCE_SECONDS = 900
_KEYFILES = "/etc/NetworkManager/system-connections"


def install(  # noqa: PLR0913 -- what the command line can say
    project: Project,
    host: str,
    wanted: Installation,
    *,
    fingerprint: str = "",
    dry_run: bool = False,
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Install a machine and wait until a login to the installed system succeeds.

    Raises:
        DeployError: with every reason not to write to the disk, or with what failed later.
    """
    began = time.monotonic()
    # The installed system is recognised by a login.
    refuse_closed(project.settings)
    config = prepared_spec(project)
    live = live_target(project, host, fingerprint=fingerprint)
    # By the same forwarded port as the live system, unless the settings give another.
    installed = replace(
        live,
        port=project.settings.node_port or live.port,
        user=project.settings.node_user,
        known_hosts=project.known_hosts,
    )
    key = new_ssh_key()
    with connect(live, passphrase_prompt()) as remote:
        facts = _probe(remote, wanted)
        wanted = _completed(project.settings, wanted, facts)
        if wanted.device != facts.device:
            facts = _probe(remote, wanted)
        job = _job(wanted, facts, config, key)
        if dry_run:
            output.say(shlex.join(job.argv))
            output.say("dry run: every check passed, nothing was written")
            return
        write(remote, job)
        verify(remote, job)
        awaited = _awaited(installed, live, job, facts)
        pin(installed.known_hosts, *known_as(installed), (job.public,))
        output.good(f"host key of the installed system pinned: {fingerprint_of(key.public)}")
        # There may be no answer: the machine shuts down.
        with contextlib.suppress(DeployError):
            remote.run(Command("restart"))
    with progress.step("Restart into the installed system", "installed system started"):
        await_first_boot(awaited, seconds)
    output.good(f"{live.host} installed in {time.monotonic() - began:.0f} s")
    output.say(f"next: {_next(project.settings, installed)}")


def _probe(remote: Remote, wanted: Installation) -> LiveFacts:
    keyfiles = wanted.network_dir or _KEYFILES
    answer = remote.checked(
        Command("live-facts", (wanted.device or "-", keyfiles)),
        "reading the facts of the live system",
        "boot the machine from Fedora CoreOS's live medium (`fab iso`, `fab pxe`)",
    )
    return read_answer(LiveFacts, answer, "the facts of the live system")


def _completed(settings: Settings, wanted: Installation, facts: LiveFacts) -> Installation:
    """Complete the options: ask for the disk, keep the data partition of the settings."""
    _show(facts)
    if not wanted.device:
        if not prompt.has_terminal():
            raise DeployError(
                "no --device is given, and this is not a terminal",
                f"disks of the machine: {', '.join(one.path for one in facts.disks) or 'none'}",
            )
        wanted = replace(wanted, device=prompt.ask("Which disk, by its whole name?"))
    disk = chosen(facts)
    label = settings.data_partition
    if disk and label in disk.labels and label not in wanted.save_partlabel:
        output.say(f"keeping the data partition {label}")
        wanted = replace(wanted, save_partlabel=(*wanted.save_partlabel, label))
    return wanted


def _show(facts: LiveFacts) -> None:
    rows = [
        (one.path, size(one.size), _hardware(one), ", ".join(one.contents) or "empty")
        for one in facts.disks
    ]
    output.table(f"disks of {facts.system}", ("disk", "size", "model", "contents"), rows)


def _hardware(disk: Disk) -> str:
    return " ".join(filter(None, (disk.model, disk.serial, disk.link))) or "-"


def _job(wanted: Installation, facts: LiveFacts, config: bytes, key: SshKey) -> Job:
    whole = with_host_key(config, key.private, key.public)
    if found := refusals(wanted, facts, whole):
        lines = "".join(f"\n  {reason}" for reason, _ in found)
        raise DeployError(
            f"nothing was written, for {output.count(len(found), 'reason')}:{lines}",
            "\n".join(remedy for _, remedy in found),
        )
    return Job(wanted, facts.device, key.public, whole)


def _awaited(installed: Target, live: Target, job: Job, facts: LiveFacts) -> Awaited:
    old = pinned(installed.known_hosts, *known_as(installed))
    live_public = pinned(live.known_hosts, *known_as(live))[0]
    return Awaited(installed, job.public, live, live_public, facts.boot_id, old)


def _next(settings: Settings, installed: Target) -> str:
    if settings.node_address == installed.host:
        return "fab deploy --first"
    return f"fab -H {installed.user}@{installed} deploy --first"
