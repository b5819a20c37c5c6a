"""Write a disk: send the Ignition file, run coreos-installer, read the disk back."""

import contextlib
import hashlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.machine.install.plan.installation import Written, problems_of
from deploy.machine.install.plan.options import CONFIG, Installation
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote, Result

_PERCENT = re.compile(r"^Read disk .*\((\d{1,3})%\)")
_LAST_LINES = 12


class Follower(Remote, Protocol):
    """A node whose output can be read while a command runs."""

    def follow(self, command: Command, heard: Callable[[str], None]) -> Result:
        """Run a command; pass each line of its output to `heard` at once."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """The installation of one machine; `config` is its Ignition file with its host key."""

    wanted: Installation
    device: str
    public: str
    config: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the Ignition file."""
        return hashlib.sha256(self.config).hexdigest()

    @property
    def argv(self) -> tuple[str, ...]:
        """The installer's command."""
        return self.wanted.argv(self.device, self.sha256)


def write(remote: Follower, job: Job) -> None:
    """Install; an interrupt also stops the installer on the machine.

    Raises:
        DeployError: with the installer's last lines, when it fails.
    """
    output.say(shlex.join(job.argv))
    remote.checked(Command("take-config", (CONFIG,), job.config), "receiving the Ignition file")
    try:
        with progress.percentage(f"installing to {job.device}") as show:
            result = remote.follow(
                Command("install-disk", (CONFIG, *job.argv)), lambda line: _progress(line, show)
            )
            if result.code:
                raise _failed(job, result)
    except KeyboardInterrupt:
        with contextlib.suppress(DeployError):
            remote.run(Command("stop-install", (CONFIG,)))
        raise


def verify(remote: Remote, job: Job) -> None:
    """Read the disk back and compare it with the options.

    Raises:
        DeployError: with every difference.
    """
    answer = remote.checked(
        Command("read-back", (job.device,)),
        f"reading back {job.device}",
        "the disk may be failing: look at the live system's kernel log (sudo dmesg)",
    )
    written = read_answer(Written, answer, f"what was written to {job.device}")
    problems = problems_of(job.wanted, written, job.sha256)
    if problems:
        raise DeployError(
            f"{job.device} was not written as requested:\n"
            + "\n".join(f"  {one}" for one in problems),
            f"the machine was not restarted; run the command again with --wipe {job.wanted.device}",
        )
    output.good(f"{job.device} verified: Ignition file and kernel arguments")


def _progress(line: str, show: Callable[[int], None]) -> None:
    if match := _PERCENT.match(line):
        show(int(match[1]))


def _failed(job: Job, result: Result) -> DeployError:
    lines = [line for line in result.stdout.splitlines() if line]
    began = any(map(_PERCENT.match, lines))
    said = [line for line in lines if not _PERCENT.match(line)]
    kept = f" Kept: {', '.join(job.wanted.save_partlabel)}." if job.wanted.save_partlabel else ""
    hint = (
        f"{job.device} has no bootable system now.{kept} Fix the cause and run the command again, "
        f"with --wipe {job.wanted.device}"
        if began
        else "nothing was written: fix the cause and run the command again"
    )
    return DeployError(
        f"coreos-installer failed with exit code {result.code}:\n"
        + "\n".join(f"  {line}" for line in (*said, result.stderr.strip())[-_LAST_LINES:] if line),
        hint,
    )
