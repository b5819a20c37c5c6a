"""A node that runs commands over one Fabric connection."""

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.script import packed, script_text

_CHUNK = 65536
_LONGEST_COMPLAINT = 4000


@dataclass(frozen=True, slots=True)
class Result:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The end of what it wrote to stderr; its exit code where it wrote nothing."""
        said = self.stderr.strip()[-_LONGEST_COMPLAINT:]
        return said or f"exit code {self.code}"


class Remote(Protocol):
    """A node that runs commands."""

    @property
    def name(self) -> str:
        """What messages call the node."""
        return "the node"

    def checked(self, command: Command, doing: str, hint: str = "") -> str:
        """Run a command that has to succeed; give what it printed.

        Raises:
            DeployError: `DOING failed on NODE: what the node said`, with the hint.
        """
        result = self.run(command)
        if result.code:
            raise DeployError(f"{doing} failed on {self.name}: {result.complaint}", hint)
        return result.stdout

    def round_trip(self) -> float:
        """Give the seconds that a question and its answer take at the least, as far as is known."""
        ...

    def run(self, command: Command) -> Result:
        """Run a command to its end, whatever its exit code."""
        ...

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        """Run a command whose stdin is made while it runs."""
        ...

    def hold(self, command: Command) -> Result:
        """Run a command that says one line and then lasts as long as the connection."""
        ...


class FabricRemote(Remote):
    """A node reached by Fabric; one connection for all commands."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # paramiko keeps channels weakly: one that nobody holds is closed.
        self._held: list[paramiko.Channel] = []
        self._round_trip = math.inf

    @property
    def name(self) -> str:
        """The host's name or address."""
        return str(self._connection.host)

    def round_trip(self) -> float:
        """Give the seconds that a question and its answer take at the least, as far as is known."""
        return self._round_trip

    def run(self, command: Command) -> Result:
        """Run a command as root, feeding its stdin and reading both outputs at once.

        Raises:
            DeployError: when the connection is lost.
        """
        return self.send(command, (command.stdin,))

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        """Run a command as root, feeding it parts as they become ready.

        Raises:
            DeployError: when the connection is lost.
        """
        channel = self._start(command)
        output, errors = bytearray(), bytearray()
        # An interrupt reaches this thread alone, and must not leave half a packet on the wire.
        with ThreadPoolExecutor(3) as beside:
            work = (
                beside.submit(_feed, channel, parts),
                beside.submit(_drain, channel.recv, output),
                beside.submit(_drain, channel.recv_stderr, errors),
            )
            try:
                for one in work:
                    one.result()
            except BaseException:
                channel.close()
                raise
        code = channel.recv_exit_status()
        if code < 0:
            raise _lost(self._connection.host)
        return Result(code, output.decode(errors="replace"), errors.decode(errors="replace"))

    def follow(self, command: Command, heard: Callable[[str], None]) -> Result:
        """Run a command as root and pass on each line it says as it is said.

        Raises:
            DeployError: when the connection is lost.
        """
        channel = self._start(command)
        _feed(channel, (command.stdin,))
        said, lines = bytearray(), bytearray()
        while part := channel.recv(_CHUNK):
            said += part
            lines += part
            *whole, lines = lines.split(b"\n")
            for line in whole:
                heard(line.decode(errors="replace"))
        errors = bytearray()
        _drain(channel.recv_stderr, errors)
        code = channel.recv_exit_status()
        if code < 0:
            raise _lost(self._connection.host)
        return Result(code, said.decode(errors="replace"), errors.decode(errors="replace"))

    def hold(self, command: Command) -> Result:
        """Start a command and return when it has said a line or has ended."""
        channel = self._start(command)
        self._held.append(channel)
        output = bytearray()
        while not output.endswith(b"\n") and (part := channel.recv(_CHUNK)):
            output += part
        errors = bytearray()
        code = 0
        if not output:
            _drain(channel.recv_stderr, errors)
            code = channel.recv_exit_status()
            if code < 0:
                raise _lost(self._connection.host)
        return Result(code, output.decode(), errors.decode(errors="replace"))

    def _start(self, command: Command) -> paramiko.Channel:
        try:
            channel: paramiko.Channel = self._connection.transport.open_session()
            # Opening the first session takes as long as its login on the node does.
            began = time.monotonic()
            channel.exec_command(command_line(command))
            self._round_trip = min(self._round_trip, time.monotonic() - began)
            _sent(channel, packed(command.script))
        except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
            raise _lost(self._connection.host) from error
        return channel


def command_line(command: Command) -> str:
    """Write a command as the one line that a remote shell gets; nothing secret is in it.

    The script itself comes first on stdin, compressed: as it is, and not into the node's journal,
    where sudo writes each line. It has its own text in `$script`, to leave it for later.
    """
    size = len(packed(command.script))
    unpack = f'set -o pipefail; script=$(head -c {size} | gzip -dc) || exit; eval "$script"'
    return _as_root(unpack, command)


def whole_line(command: Command) -> str:
    """Write a command with its script as it is, for a program that has a stdin of its own."""
    return _as_root(script_text(command.script), command)


def _as_root(script: str, command: Command) -> str:
    return shlex.join(("sudo", "-n", "bash", "-c", script, command.script, *command.arguments))


def _lost(host: str) -> DeployError:
    return DeployError(
        f"the connection to {host} was lost",
        "run the same command again; it puts back or finishes what was begun",
    )


def _feed(channel: paramiko.Channel, parts: Iterable[bytes]) -> None:
    """Send parts until the command has them all, or ended without: its exit code tells which."""
    for part in parts:
        if not _sent(channel, part):
            return
    with contextlib.suppress(OSError, EOFError):
        channel.shutdown_write()


def _sent(channel: paramiko.Channel, part: bytes) -> bool:
    try:
        channel.sendall(part)
    except (OSError, EOFError):
        return False
    return True


def _drain(receive: Callable[[int], bytes], into: bytearray) -> None:
    while part := receive(_CHUNK):
        into += part
