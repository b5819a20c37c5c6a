"""Launch the core, or the command itself, by replacing this process."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from container.entrypoint.key import KeyFiles, install_key
from container.entrypoint.password import read_password
from container.errors import ContainerError
from container.supervise.carried import hand_over
from container.supervise.command_line import Wanted
from container.supervise.core.log import log
from container.supervise.core.settings import Policy
from container.supervise.core.signals import block_signals
from container.supervise.core.spawn import Launch, become
from container.supervise.specification import shortest_watchdog

CORE = "--core"
_PR_SET_CHILD_SUBREAPER = 36
_FOLDERS = ("/run/tls", "/run/supervise", "/run", "/tmp")  # noqa: S108 - a socket of mode 0600


def launch(wanted: Wanted) -> None:
    """Prepare the key, then become the core, or the command itself; does not return."""
    _refuse_users(wanted.workers)
    if wanted.tls:
        _prepare_key(wanted.workers[0])
    if wanted.password_in_environment:
        _password_in_environment()
    if wanted.mode == "exec":
        _become_command(wanted.workers[0])
    values = _values(wanted)
    if wanted.mode == "sd-notify":
        _warn(wanted, float(str(values["watchdog"])))
    _adopt_orphans()
    descriptor = hand_over(values, wanted.workers)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - the only form there is
    block_signals()
    # -S and -E: site-packages and the environment must not affect the supervisor.
    python = [sys.executable, "-S", "-E", sys.argv[0], CORE, str(descriptor)]
    os.execv(sys.executable, python)  # noqa: S606


def _prepare_key(worker: dict[str, object]) -> None:
    """Decrypt the key for the worker's user, and name it in TLS_KEY."""
    uid, gid = int(str(worker["uid"])), int(str(worker["gid"]))
    if uid >= 0 and uid != os.getuid():
        # renew_key gives a renewed key to the owner of the folder.
        os.chown(KeyFiles(os.environ).folder, uid, gid, follow_symlinks=False)
    os.environ["TLS_KEY"] = renew_key()


def renew_key() -> str:
    """Decrypt the key for the folder's owner and return its path; the core does so on a reload."""
    files = KeyFiles(os.environ)
    path = install_key(files)
    owner = Path(files.folder).stat()
    if os.getuid() == 0 and owner.st_uid != 0:  # any other user can only be its owner
        # The owner of the folder can put a link in its place.
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return path


def state_socket() -> str:
    """Choose the path of the status socket: $SUPERVISE_SOCKET, or one in the first writable folder.

    `status` chooses by the same rule, as the same user, and so finds it.
    """
    if "SUPERVISE_SOCKET" in os.environ:
        return os.environ["SUPERVISE_SOCKET"]
    for folder in (os.environ.get("TLS_RUN_DIR", _FOLDERS[0]), *_FOLDERS):
        if os.access(folder, os.W_OK | os.X_OK):
            return f"{folder}/supervise-{os.getuid()}.sock"
    return ""


def _values(wanted: Wanted) -> dict[str, object]:
    under_systemd = wanted.mode == "sd-notify"
    listeners = 0
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        listeners = _whole("LISTEN_FDS")
    return {
        "notify": os.environ.get("NOTIFY_SOCKET", "") if under_systemd else "",
        "watchdog": _whole("WATCHDOG_USEC") / 1e6 if under_systemd else 0.0,
        "stop": wanted.stop,
        "socket": wanted.socket or state_socket(),
        "reload_command": (sys.executable, sys.argv[0], "key") if wanted.tls else (),
        "listen_sockets": listeners,
        "listen_names": os.environ.get("LISTEN_FDNAMES", ""),
    }


def _whole(variable: str) -> int:
    text = os.environ.get(variable, "") or "0"
    if not (text.isascii() and text.isdigit()):
        raise ContainerError(f"{variable}={text!r} is no number", code=os.EX_CONFIG)
    return int(text)


def _warn(wanted: Wanted, watchdog: float) -> None:
    for worker in wanted.workers:
        needed = shortest_watchdog(worker)
        if 0 < watchdog < needed:
            log(
                f"WatchdogSec={watchdog:g} is shorter than the {needed:g} s that restarting"
                f" {worker['name']} may take: systemd may end the service while it recovers"
            )


def _become_command(worker: dict[str, object]) -> None:
    policy = Policy(worker)
    launch = Launch(policy.command, {**os.environ, **policy.environment})
    launch.uid, launch.gid = policy.uid, policy.gid
    launch.directory, launch.limits = policy.directory, policy.limits
    try:
        become(launch)
    except (OSError, ValueError) as error:
        raise ContainerError(f"{policy.command[0]}: {error}", code=127) from error


def _refuse_users(workers: list[dict[str, object]]) -> None:
    """Drop a user that is the process's own; refuse another one unless this process is root."""
    own = {"uid": os.getuid(), "gid": os.getgid()}
    for worker in workers if own["uid"] else ():
        wanted = {key: worker[key] for key in own}
        if wanted == own:
            worker.update(uid=-1, gid=-1)
        elif wanted["uid"] != -1:
            raise ContainerError(
                f"worker {worker['name']}: the supervisor runs as {own['uid']}:{own['gid']}, and"
                f" only root can become {wanted['uid']}:{wanted['gid']}",
                "start the container as root, or leave `user` out",
                code=os.EX_CONFIG,
            )


def _password_in_environment() -> None:
    log("the key's password goes into CERT_PASS, where every process of this user can read it")
    with read_password(KeyFiles(os.environ).password) as password:
        os.environb[b"CERT_PASS"] = bytes(password.split(b"\0", 1)[0])


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants (process 1 is that already)."""
    if os.getpid() != 1:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
