"""Wait for the first boot of an installed machine, recognised by its host key and boot id."""

import time
from dataclasses import dataclass

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.host_key import fingerprint_of
from deploy.node.login import connect, read_host_key
from deploy.node.session import passphrase_prompt
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


class _OtherSystemError(DeployError):
    """Another system came up: it is useless to wait any longer."""


def boot_id(target: Target) -> str:
    """Log in and read the boot id."""
    with connect(target, passphrase_prompt()) as remote:
        return remote.checked(Command("boot-id"), "reading the boot id").strip()


def await_first_boot(awaited: Awaited, seconds: float) -> str:
    """Wait until a login to the installed system succeeds; return its boot id.

    Raises:
        DeployError: when another system comes up, or none within the time.
    """
    deadline = time.monotonic() + seconds
    last = "it did not answer"
    while time.monotonic() < deadline:
        try:
            return _look(awaited)
        except _OtherSystemError:
            raise
        except DeployError as error:
            last = error.message
            time.sleep(_PAUSE_SECONDS)
    raise DeployError(
        f"the machine did not come back within {seconds:.0f} s: {last}",
        f"{_LOOK}: does it boot the disk (boot order, medium still in)? does Ignition report an "
        "error? did DHCP give it another address? Once it is up: `fab deploy --first`, with its "
        "address in NODE_ADDRESS or -H; its host key is pinned for the old address",
    )


def _look(awaited: Awaited) -> str:
    shown, _ = read_host_key(awaited.installed)
    if shown == awaited.public:
        # While it boots, sshd answers and refuses logins.
        found = boot_id(awaited.installed)
        if found == awaited.boot_id:
            raise DeployError("it has not restarted")
        return found
    if shown == awaited.live_public:
        if boot_id(awaited.live) == awaited.boot_id:
            raise DeployError("the live system is still running")
        raise _OtherSystemError(
            "the machine booted its live medium again, not the installed system",
            "remove the medium, or put the disk before it in the firmware's boot order, and "
            "restart; then `fab deploy --first`. The disk is written and verified: do not install "
            "again",
        )
    if shown in awaited.old_public:
        raise _OtherSystemError(
            "the machine booted the system that it had before (its old host key)",
            "it booted another disk: put the installed disk first in the firmware's boot order; "
            "once nothing on the other disk is needed, wipe its boot file system (wipefs)",
        )
    raise _OtherSystemError(
        f"another system answers at that address, with the host key {fingerprint_of(shown)}",
        f"{_LOOK}: a medium not made by `fab iso` makes a new key at each boot; remove it, or put "
        "the disk before it in the boot order. Otherwise suspect a man in the middle",
    )
