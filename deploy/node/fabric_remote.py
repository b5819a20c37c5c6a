"""Run commands on a node over one Fabric connection."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote, Result
from deploy.node.script import command_line, packed
from deploy.node.ssh_config import ssh_config

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

    def ssh_config(self) -> str:
        """Write the config that leads the system's ssh to the node as this connection goes."""
        return ssh_config(self._connection)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        """Run a command as root; send it parts as they become ready, and read its output meanwhile.

        Raises:
            DeployError: when the connection is lost, or the command prints too much.
        """
        channel = self._start(command)
        output, errors = bytearray(), bytearray()
        # Ctrl-C interrupts only the main thread: the worker threads finish the packet being sent.
        with ThreadPoolExecutor(3) as beside:
            work = (
                beside.submit(_feed, channel, parts),
                beside.submit(self._drain, channel, channel.recv, output, command),
                beside.submit(self._drain, channel, channel.recv_stderr, errors, command),
            )
            try:
                for one in as_completed(work):
                    one.result()
            except BaseException:
                channel.close()
                raise
        return self._result(channel, output, errors)

    def follow(self, command: Command, on_line: Callable[[str], None]) -> Result:
        """Run a command as root; call `on_line` with each line of stdout as it comes.

        Raises:
            DeployError: when the connection is lost, or the command prints too much.
        """
        channel = self._start(command)
        _feed(channel, (command.stdin,))
        said, lines = bytearray(), bytearray()
        while part := channel.recv(_CHUNK):
            self._add(channel, part, said, command)
            lines += part
            *whole, lines = lines.split(b"\n")
            for line in whole:
                on_line(line.decode(errors="replace"))
        errors = bytearray()
        self._drain(channel, channel.recv_stderr, errors, command)
        return self._result(channel, said, errors)

    def hold(self, command: Command) -> Result:
        """Start a command; return when it has printed a line or has ended."""
        channel = self._start(command)
        self._held.append(channel)
        output = bytearray()
        while not output.endswith(b"\n") and (part := channel.recv(_CHUNK)):
            self._add(channel, part, output, command)
        if output:
            return Result(0, output.decode(errors="replace"), "")
        errors = bytearray()
        self._drain(channel, channel.recv_stderr, errors, command)
        return self._result(channel, output, errors)

    def _drain(
        self,
        channel: paramiko.Channel,
        receive: Callable[[int], bytes],
        into: bytearray,
        command: Command,
    ) -> None:
        while part := receive(_CHUNK):
            self._add(channel, part, into, command)

    def _add(
        self, channel: paramiko.Channel, part: bytes, into: bytearray, command: Command
    ) -> None:
        """Add to what a command printed; raise DeployError when that is too much."""
        if len(into) + len(part) > command.most_bytes:
            channel.close()
            raise DeployError(
                f"{self.name} sent more than {command.most_bytes} bytes as the answer to "
                f"{command.script}",
                "that is no answer of corefab's script: compare the node with its console, and "
                "install it again if it may be compromised",
            )
        into += part

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
