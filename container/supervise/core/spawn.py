"""Start one process: own group, descriptors, user and limits; no signal is lost."""

from __future__ import annotations

import fcntl
import os
import signal

_HIGH = 200  # above every number a child is given, so that moving one never closes another
FIRST_LISTENER = 3  # sd_listen_fds(3)


class SpawnError(Exception):
    """The command could not be executed; `missing` when it does not exist."""

    def __init__(self, message: str, *, missing: bool) -> None:
        super().__init__(message)
        self.missing = missing


class Launch:
    """The command and its environment; `heartbeat` and `listeners` are descriptors or absent."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.command = command
        self.environment = environment
        self.directory = ""
        self.uid = self.gid = self.heartbeat = -1
        self.listeners = 0
        self.limits: dict[str, int] = {}


def spawn(launch: Launch) -> int:
    """Start the process; return its id once it runs the command.

    Raises:
        SpawnError: also when there is no process or descriptor to be had, which may pass.
    """
    try:
        reader, writer = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise SpawnError(f"no pipe: {error.strerror}", missing=False) from error
    # Blocked from before the fork until the child has its default handlers: a signal that
    # arrives in between waits instead of being taken by a handler of ours in the child.
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(launch, writer)
    except OSError as error:
        os.close(reader)
        raise SpawnError(f"no new process: {error.strerror}", missing=False) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(writer)
    with os.fdopen(reader, "rb") as errors:
        problem = errors.read()
    if problem:
        os.waitpid(pid, 0)
        number, _, text = problem.decode(errors="replace").partition(" ")
        raise SpawnError(text, missing=number in {"2", "13"})
    return pid


def _become(launch: Launch, writer: int) -> None:
    try:
        writer = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        os.setpgid(0, 0)
        _descriptors(launch)
        become(launch)
    except BaseException as error:  # noqa: BLE001 - the parent gets any error
        number = getattr(error, "errno", 0) or 0
        os.write(writer, f"{number} {launch.command[0]}: {error}".encode()[:500])
    finally:
        os._exit(127)


def become(launch: Launch) -> None:
    """Replace this process by the command, with its limits, user, folder and default signals.

    Raises:
        OSError: when that cannot be.
    """
    _limits(launch)
    _user(launch)
    if launch.directory:
        os.chdir(launch.directory)
    for caught in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(caught, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _execute(launch)


def _execute(launch: Launch) -> None:
    """Find the command in PATH as execvp(3) does.

    os.execvpe imports a module on its way, which a user that was dropped to may not read.
    """
    name = launch.command[0]
    problem: OSError = FileNotFoundError(2, os.strerror(2))
    folders = [""] if "/" in name else launch.environment.get("PATH", os.defpath).split(":")
    for folder in folders:
        path = f"{folder}/{name}" if folder else name
        try:
            os.execve(path, launch.command, launch.environment)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = error
    raise problem


def _descriptors(launch: Launch) -> None:
    # An input that ends at once. A pipe, because an image may have no /dev/null.
    reader, writer = os.pipe()
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)
    if launch.heartbeat >= 0:
        moved = fcntl.fcntl(launch.heartbeat, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        number = FIRST_LISTENER + launch.listeners
        os.dup2(moved, number)
        launch.environment["HEARTBEAT_FD"] = str(number)
    if launch.listeners:
        launch.environment["LISTEN_PID"] = str(os.getpid())
        for number in range(FIRST_LISTENER, FIRST_LISTENER + launch.listeners):
            os.set_inheritable(number, True)  # noqa: FBT003 - the only form there is


def _limits(launch: Launch) -> None:
    if launch.limits:
        import resource  # noqa: PLC0415 - only in a child that is limited

        for name, value in launch.limits.items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))


def _user(launch: Launch) -> None:
    if launch.gid >= 0:
        os.setgroups(())
        os.setgid(launch.gid)
    if launch.uid >= 0:
        os.setuid(launch.uid)
