"""Wait for the first boot of an installed machine, recognised by its host key and boot id."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.host_key import fingerprint_of
from deploy.node.login import connect, read_host_key
from deploy.node.target import Target

_PAUSE_SECONDS = 1.0
_LOOK = "look at the machine's console"


@dataclass(frozen=True, slots=True)
class Awaited:
    """The installed system that should come up, and the live system that shuts down."""

    installed: Target
    public: str
    live: Target
    live_public: str
    boot_id: str
    old_public: tuple[str, ...] = ()


def boot_id(target: Target, ask: Callable[[str], str] | None) -> str:
    """Log in and read the boot id."""
    with connect(target, ask) as remote:
        return remote.checked(Command("boot-id"), "reading the boot id").strip()


def await_first_boot(awaited: Awaited, seconds: float, ask: Callable[[str], str] | None) -> str:
    """Wait until a login to the installed system succeeds; return its boot id.

    Raises:
        DeployError: when another system comes up, or none within the time.
    """
    deadline = time.monotonic() + seconds
    last = DeployError("it did not answer")
    while time.monotonic() < deadline:
        try:
            found = _look(awaited, ask)
        except _NotYetError as error:
            last = error.cause
            time.sleep(_PAUSE_SECONDS)
            continue
        return found
    raise DeployError(
        f"the machine did not come back within {seconds:.0f} s: {last.message}",
        f"{_LOOK}: does it boot the disk (boot order, medium still in)? does Ignition report an "
        "error? did DHCP give it another address? Once it is up: `fab deploy --first`, with its "
        "address in NODE_ADDRESS or -H; its host key is pinned for the old address",
    )


class _NotYetError(Exception):
    def __init__(self, cause: DeployError) -> None:
        super().__init__(cause.message)
        self.cause = cause


def _look(awaited: Awaited, ask: Callable[[str], str] | None) -> str:
    try:
        shown, _ = read_host_key(awaited.installed)
    except DeployError as error:
        raise _NotYetError(error) from error
    if shown == awaited.public:
        return _new_boot(awaited.installed, awaited.boot_id, ask)
    if shown == awaited.live_public:
        _refuse_medium(awaited, ask)
    raise _unexpected(awaited, shown)


def _new_boot(target: Target, before: str, ask: Callable[[str], str] | None) -> str:
    try:
        found = boot_id(target, ask)
    except DeployError as error:
        # While it boots, sshd answers and refuses logins.
        raise _NotYetError(error) from error
    if found == before:
        raise _NotYetError(DeployError("it has not restarted"))
    return found


def _refuse_medium(awaited: Awaited, ask: Callable[[str], str] | None) -> None:
    try:
        same = boot_id(awaited.live, ask) == awaited.boot_id
    except DeployError as error:
        raise _NotYetError(error) from error
    if same:
        raise _NotYetError(DeployError("the live system is still running"))
    raise DeployError(
        "the machine booted its live medium again, not the installed system",
        "remove the medium, or put the disk before it in the firmware's boot order, and restart; "
        "then `fab deploy --first`. The disk is written and verified: do not install again",
    )


def _unexpected(awaited: Awaited, shown: str) -> DeployError:
    if shown in awaited.old_public:
        return DeployError(
            "the machine booted the system that it had before (its old host key)",
            "it booted another disk: put the installed disk first in the firmware's boot order; "
            "once nothing on the other disk is needed, wipe its boot file system (wipefs)",
        )
    return DeployError(
        f"another system answers at that address, with the host key {fingerprint_of(shown)}",
        f"{_LOOK}: a medium not made by `fab iso` makes a new key at each boot; remove it, or put "
        "the disk before it in the boot order. Otherwise suspect a man in the middle",
    )
