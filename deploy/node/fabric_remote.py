"""Run commands on a node over one Fabric connection."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from threading import Thread

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.early import started
from deploy.node.remote import Remote, Result
from deploy.node.script import MARK, command_line, packed

_CHUNK = 65536
# How much is kept of what a node prints before an answer.
_KEPT = 4000
# The exit code of a command that was not run, as a shell has it.
_NOT_RUN = 126


class FabricRemote(Remote):
    """A node over one Fabric connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Keep the channels of `hold`: paramiko closes a channel without references.
        self._held: list[paramiko.Channel] = []
        self._round_trip = math.inf
        # Sessions opened ahead, each for one command: opening takes a round trip.
        self._ahead = [self._open_ahead()]

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
            DeployError: when the connection is lost, or the command prints too much.
        """
        channel = self._start(command)
        answer, output, errors = _Answer(channel), bytearray(), bytearray()
        _at_once(
            channel,
            partial(_feed, channel, parts),
            partial(self._drain, channel, answer.recv, output, command),
            partial(self._drain, channel, channel.recv_stderr, errors, command),
        )
        return self._result(answer, output, errors)

    def relay(self, line: str, stdin: int, stdout: int, stderr: int) -> int:
        """Run a shell's command line with open files as its own; return its exit code.

        Raises:
            DeployError: when the connection is lost.
        """
        channel = self._opened(line)
        # Not waited for: who has the other end may wait for the command's end.
        Thread(target=_feed, args=(channel, _read(os.dup(stdin))), daemon=True).start()
        _at_once(
            channel,
            partial(_write, _Answer(channel).recv, stdout),
            partial(_write, channel.recv_stderr, stderr),
        )
        return self._code(channel)

    def follow(self, command: Command, on_line: Callable[[str], None]) -> Result:
        """Run a command as root; call `on_line` with each line of stdout as it comes.

        Raises:
            DeployError: when the connection is lost, or the command prints too much.
        """
        channel = self._start(command)
        _feed(channel, (command.stdin,))
        answer, said, lines = _Answer(channel), bytearray(), bytearray()
        while part := answer.recv(_CHUNK):
            self._add(channel, part, said, command)
            lines += part
            if b"\n" not in part:
                continue
            *whole, lines = lines.split(b"\n")
            for line in whole:
                on_line(line.decode(errors="replace"))
        errors = bytearray()
        self._drain(channel, channel.recv_stderr, errors, command)
        return self._result(answer, said, errors)

    def hold(self, command: Command) -> Result:
        """Start a command; return when it has printed a line or has ended."""
        channel = self._start(command)
        self._held.append(channel)
        answer, output = _Answer(channel), bytearray()
        while not output.endswith(b"\n") and (part := answer.recv(_CHUNK)):
            self._add(channel, part, output, command)
        if output:
            return Result(0, output.decode(errors="replace"), "")
        errors = bytearray()
        self._drain(channel, channel.recv_stderr, errors, command)
        return self._result(answer, output, errors)

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
        channel = self._opened(command_line(command))
        _sent(channel, packed(command.script))
        return channel

    def _opened(self, line: str) -> paramiko.Channel:
        try:
            channel = self._session()
            # Not measured: the first session waits for the login on the node.
            began = time.monotonic()
            channel.exec_command(line)
            self._round_trip = min(self._round_trip, time.monotonic() - began)
        except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
            raise _lost(self._connection.host) from error
        return channel

    def _session(self) -> paramiko.Channel:
        """Take the session opened ahead and open the next; open one where that was refused."""
        ahead = self._ahead.pop() if self._ahead else None
        try:
            channel = ahead.result() if ahead else self._new_session()
        except paramiko.ChannelException:
            return self._new_session()
        self._ahead.append(self._open_ahead())
        return channel

    def _open_ahead(self) -> Future[paramiko.Channel]:
        return started(self._new_session)

    def _new_session(self) -> paramiko.Channel:
        session: paramiko.Channel = self._connection.transport.open_session()
        return session

    def _result(self, answer: "_Answer", said: bytearray, errors: bytearray) -> Result:
        code = self._code(answer.channel)
        if not answer.begun:
            return Result(code or _NOT_RUN, "", _why_not_run(errors or answer.before))
        return Result(code, said.decode(errors="replace"), errors.decode(errors="replace"))

    def _code(self, channel: paramiko.Channel) -> int:
        code = channel.recv_exit_status()
        if code < 0:
            raise _lost(self._connection.host)
        return code


class _Answer:
    """What a command prints; `before` is the end of what came before it, until it begins."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel, self.before, self.begun = channel, bytearray(), False

    def recv(self, size: int) -> bytes:
        """Read some of it; nothing when it has ended."""
        while part := self.channel.recv(size):
            if self.begun:
                return part
            self.before += part
            _, mark, rest = self.before.partition(f"{MARK}\n".encode())
            if mark:
                self.begun = True
                self.before.clear()
                if rest:
                    return bytes(rest)
            del self.before[:-_KEPT]
        return b""


def _why_not_run(said: bytearray) -> str:
    """Say why the login shell did not run a command, from the end of what it printed."""
    *_, last = ["", *said.decode(errors="replace").strip().splitlines()]
    if "sudo:" in last:
        return last
    why = last if last.isprintable() else "it took the command's input for its own"
    return (
        f"the login shell ran something else ({why or 'it printed nothing'}); ~/.bashrc and its "
        "like must not exit, start another shell or read input where there is no terminal"
    )


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


def _at_once(channel: paramiko.Channel, *work: Callable[[], object]) -> None:
    """Do all of it at the same time; close the channel when one fails, or on Ctrl-C.

    Ctrl-C interrupts only the main thread: the worker threads finish the packet being sent.
    """
    with ThreadPoolExecutor(len(work)) as beside:
        try:
            for one in as_completed([beside.submit(do) for do in work]):
                one.result()
        except BaseException:
            channel.close()
            raise


def _read(file: int) -> Iterator[bytes]:
    with open(file, "rb", 0) as source:
        while part := source.read(_CHUNK):
            yield part


def _write(receive: Callable[[int], bytes], file: int) -> None:
    while part := receive(_CHUNK):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(file, rest) :]


def _sent(channel: paramiko.Channel, part: bytes) -> bool:
    try:
        channel.sendall(part)
    except (OSError, EOFError):
        return False
    return True
