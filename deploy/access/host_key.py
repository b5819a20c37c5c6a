"""Verb: another SSH host key for the node, announced beside the old one for a while."""

from dataclasses import dataclass
from pathlib import Path

from deploy import progress, report
from deploy.access.change import change
from deploy.access.fleet import Reach
from deploy.errors import DeployError
from deploy.known_hosts import pin
from deploy.people import read_key
from deploy.plan.command import Command
from deploy.remote.connection import real_host, real_port
from deploy.remote.remote import Remote

_FIELDS = 4
_VERB = "cert-rotate-host"
_DAY_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a node shows or announces; `next` ones become the only ones."""

    next: bool
    age_days: int
    blob: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint as OpenSSH writes it."""
        found = read_key(self.blob)
        return found.fingerprint if found else "unreadable"


@dataclass(frozen=True, slots=True)
class HostKeys:
    """All of them, and whether a change has begun and has not ended."""

    keys: tuple[HostKey, ...]
    changing: bool


def cert_rotate_host(folder: Path, node: Reach, *, finish: bool, at_once: bool) -> None:
    """Begin to change a node's host keys, or finish; both keys are pinned here in between.

    In between the node shows the old keys and announces the new ones too, so that colleagues'
    ssh learns the new ones by itself (UpdateHostKeys). Whatever interrupts this, what the node
    shows is pinned here: a key is pinned before it is shown, and unpinned after it is gone.

    Raises:
        DeployError: when there is nothing to finish, or the node cannot change.
    """
    with node.connected() as remote:
        if finish and not host_keys(remote, "list").changing:
            raise DeployError(
                f"{node.name} is not changing its host keys", "begin with `fab cert-rotate-host`"
            )
        if not finish:
            _begin(folder, node, remote)
    if finish or at_once:
        _finish(folder, node)
    else:
        report.say(
            "ssh learns the new keys by itself as long as the old ones are shown; when everybody "
            "has logged in once, run `fab cert-rotate-host --finish`"
        )


def host_keys(remote: Remote, verb: str) -> HostKeys:
    """Take a step, or only look: the keys that the node has afterwards.

    Raises:
        DeployError: when the node refuses.
    """
    return _read(remote.checked(Command("host-key", (verb,)), "reading or changing the host keys"))


def _read(answer: str) -> HostKeys:
    lines = answer.splitlines()
    fields = [line.split() for line in lines if len(line.split()) == _FIELDS]
    keys = tuple(
        HostKey(word == "next", int(age) // _DAY_SECONDS, f"{kind} {key}")
        for word, age, kind, key in fields
    )
    return HostKeys(keys, "changing" in lines)


def _begin(folder: Path, node: Reach, remote: Remote) -> None:
    with progress.step(f"{node.name}: the next host keys are made"):
        held = host_keys(remote, "begin")
    with progress.step("they are pinned here, beside the present ones"):
        _pin(node, held)
    with progress.step(f"{node.name}: they are announced beside the present ones"):
        told = f"announced: {_marks(held, coming=True)}"
        change(remote, folder, Command("host-key", ("announce",)), _VERB, told)
    with progress.step(f"{node.name}: a second session meets a pinned key"):
        _look(node)


def _finish(folder: Path, node: Reach) -> None:
    with (
        progress.step(f"{node.name}: the old host keys are forgotten"),
        node.connected() as remote,
    ):
        gone = _marks(host_keys(remote, "list"), coming=False)
        change(remote, folder, Command("host-key", ("finish",)), _VERB, f"forgotten: {gone}")
    with progress.step(f"{node.name}: a second session meets a pinned key"):
        held = _look(node)
    with progress.step("only the new ones are pinned here"):
        _pin(node, held)
    for key in held.keys:
        report.good(f"{node.name} shows {key.blob.split()[0]} {key.fingerprint}")


def _marks(held: HostKeys, *, coming: bool) -> str:
    """Name the next keys, or the present ones."""
    return ", ".join(key.fingerprint for key in held.keys if key.next == coming)


def _look(node: Reach) -> HostKeys:
    with node.connected() as remote:
        return host_keys(remote, "list")


def _pin(node: Reach, held: HostKeys) -> None:
    keys = tuple(key.blob for key in held.keys)
    pin(node.target.known_hosts, real_host(node.target), real_port(node.target), keys)
