"""Run commands on a node over one Fabric connection."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote, Result
from deploy.node.script import command_line, packed

_CHUNK = 65536


class FabricRemote(Remote):
    """A node over one Fabric connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Keep the channels of `hold`: paramiko closes a channel without references.
        self._held: list[paramiko.Channel] = []
        self._round_trip = math.inf

    @property
    def name(self) -> str:
        """The host's name or address."""
        return str(self._connection.host)

    def round_trip(self) -> float:
        """Return the shortest round trip measured so far, in seconds; infinite before the first."""
        return self._round_trip

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        """Run a command as root; send it parts as they become ready, and read its output meanwhile.

        Raises:
            DeployError: when the connection is lost.
        """
        channel = self._start(command)
        output, errors = bytearray(), bytearray()
        # Ctrl-C interrupts only the main thread: the worker threads finish the packet being sent.
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
        return self._result(channel, output, errors)

    def follow(self, command: Command, on_line: Callable[[str], None]) -> Result:
        """Run a command as root; call `on_line` with each line of stdout as it comes.

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
                on_line(line.decode(errors="replace"))
        errors = bytearray()
        _drain(channel.recv_stderr, errors)
        return self._result(channel, said, errors)

    def hold(self, command: Command) -> Result:
        """Start a command; return when it has printed a line or has ended."""
        channel = self._start(command)
        self._held.append(channel)
        output = bytearray()
        while not output.endswith(b"\n") and (part := channel.recv(_CHUNK)):
            output += part
        if output:
            return Result(0, output.decode(), "")
        errors = bytearray()
        _drain(channel.recv_stderr, errors)
        return self._result(channel, output, errors)

    def _start(self, command: Command) -> paramiko.Channel:
        try:
            channel: paramiko.Channel = self._connection.transport.open_session()
            # Not measured: the first session waits for the login on the node.
            began = time.monotonic()
            channel.exec_command(command_line(command))
            self._round_trip = min(self._round_trip, time.monotonic() - began)
            _sent(channel, packed(command.script))
        except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
            raise _lost(self._connection.host) from error
        return channel

    def _result(self, channel: paramiko.Channel, said: bytearray, errors: bytearray) -> Result:
        code = channel.recv_exit_status()
        if code < 0:
            raise _lost(self._connection.host)
        return Result(code, said.decode(errors="replace"), errors.decode(errors="replace"))


def _lost(host: str) -> DeployError:
    return DeployError(
        f"the connection to {host} was lost",
        "run the same command again; it finishes the change or puts it back",
    )


def _feed(channel: paramiko.Channel, parts: Iterable[bytes]) -> None:
    """Send all parts, or until the command ends early; its exit code tells which."""
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
