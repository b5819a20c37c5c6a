"""Log in to a node: early in a thread, by a locked key, and why a login failed."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import paramiko

from deploy.errors import DeployError, NodeUnheardError
from deploy.node.connection import Hop, HostKeyError, new_hops
from deploy.node.early import started
from deploy.node.fabric_remote import FabricRemote
from deploy.node.host_key import fingerprint_of, key_line
from deploy.node.known_hosts import KnownKeys, known_keys
from deploy.node.private_key import QuestionError, TooManyError, load_key
from deploy.node.ssh_config import SSH_PORT
from deploy.node.target import Target


@dataclass(frozen=True, slots=True)
class Login:
    """A login that runs in a thread of its own, for one `connect` to use."""

    target: Target
    hops: Future[tuple[Hop, ...]]


def start_login(target: Target) -> Login:
    """Start to log in; `connect` waits for the connection and raises what failed."""
    return Login(target, started(partial(_log_in, target)))


@contextmanager
def connect(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    *,
    login: Login | None = None,
) -> Iterator[FabricRemote]:
    """Log in to a node whose host key is pinned; `ask_passphrase` None means no terminal.

    Use `login` where it was started for the same target.

    Raises:
        DeployError: when the host key is unknown or changed, the node refuses or does not
            answer, or the login fails.
    """
    early = login.hops if login and login.target == target else None
    hops = _open(target, ask_passphrase, early)
    try:
        yield FabricRemote(hops[-1].connection)
    finally:
        _close(hops)


def read_host_key(target: Target) -> tuple[str, str]:
    """Read a node's host key without logging in to it: `ssh-ed25519 AAAA…` and its fingerprint.

    Jump hosts are logged in to, if their keys are known.

    Raises:
        DeployError: when no SSH server answers there, or the key is revoked.
    """
    hops = new_hops(target)
    files = (target.known_hosts, *target.options.known_hosts)
    revoked = known_keys(files, target.options.known_as).revoked
    hops[-1].accept(KnownKeys(revoked=revoked))
    try:
        _opened(hops)
    except _HostKeyRefusedError as error:
        line = key_line(error.key)
        if error.hop is hops[-1] and line not in revoked:
            return line, error.key.fingerprint
        raise
    raise AssertionError("a connection that accepts no host key was opened")


class _LoginRefusedError(DeployError):
    """A host does not let the operator in; `locked` are key files that want a passphrase."""

    def __init__(self, hop: Hop, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.locked = hop.keys.locked


class _HostKeyRefusedError(DeployError):
    """A host shows a key that is not accepted."""

    def __init__(self, hop: Hop, key: paramiko.PKey, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.hop = hop
        self.key = key


def _open(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    early: Future[tuple[Hop, ...]] | None,
) -> tuple[Hop, ...]:
    if target.identity and not target.identity.expanduser().is_file():
        raise DeployError(
            f"IDENTITY_FILE is {target.identity}, which is not a file", "correct it in .env"
        )
    try:
        return early.result() if early else _log_in(target)
    except _LoginRefusedError as error:
        if not error.locked:
            raise
        locked = error.locked[0]
    return _log_in(target, _unlock(locked, ask_passphrase))


def _unlock(locked: Path, ask_passphrase: Callable[[str], str] | None) -> paramiko.PKey:
    if ask_passphrase is None:
        raise DeployError(
            f"{locked} has a passphrase, and this is not a terminal to ask for it",
            "add the key to the SSH agent (`ssh-add`), or run the command in a terminal",
        )
    key = load_key(locked, ask_passphrase(f"passphrase of {locked}"))
    if key is None:
        raise DeployError(f"the passphrase does not open {locked}", "run the command again")
    return key


def _log_in(target: Target, key: paramiko.PKey | None = None) -> tuple[Hop, ...]:
    return _opened(new_hops(target, key))


def _opened(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    try:
        for hop in hops:
            try:
                hop.open()
            except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
                raise _failure(error, hop, is_node=hop is hops[-1]) from error
    except DeployError:
        _close(hops)
        raise
    return hops


def _close(hops: tuple[Hop, ...]) -> None:
    for hop in reversed(hops):
        hop.close()


def _failure(error: Exception, hop: Hop, *, is_node: bool) -> DeployError:
    user = hop.options.user
    name = f"{hop.options.name}:{hop.options.port}".removesuffix(f":{SSH_PORT}")
    if isinstance(error, HostKeyError):
        return _refused_key(error, hop, name, is_node=is_node)
    if isinstance(error, QuestionError):
        return DeployError(
            f"{name} asks {user} for more than a key, which is not answered",
            "it may be compromised; otherwise set its sshd up to let the key in alone"
            if is_node
            else "if it is yours and asks for a code, reach the node through a ProxyCommand "
            "(`ssh -W %h:%p JUMPHOST`): then ssh asks you",
        )
    if isinstance(error, TooManyError):
        return _LoginRefusedError(
            hop,
            f"{name} ended the login of {user} before all your keys were tried",
            "name the right one: IDENTITY_FILE in .env, or IdentityFile in ~/.ssh/config",
        )
    transport = hop.connection.client.get_transport()
    # After the key exchange it is the login that failed, whatever paramiko's last error says.
    # Before it, a timeout may leave the transport active.
    met = transport and transport.initial_kex_done and transport.is_active()
    if isinstance(error, paramiko.AuthenticationException) or met:
        return _LoginRefusedError(
            hop,
            f"{name} does not let {user} in",
            "is your key among the machine's (SSH_KEYS), in the agent, or named by IDENTITY_FILE?"
            if is_node
            else "it is a jump host of ~/.ssh/config: is its IdentityFile right, or your key in "
            "the agent?",
        )
    return _unreachable(error, hop, name, is_node=is_node)


def _unreachable(error: Exception, hop: Hop, name: str, *, is_node: bool) -> NodeUnheardError:
    if hop.options.proxy_command:
        return NodeUnheardError(
            f"{name} cannot be reached through its ProxyCommand: {_reason(error)}",
            f"does `ssh {hop.options.name}` reach it? Otherwise correct ProxyCommand in "
            "~/.ssh/config",
        )
    if _closed(error):
        return NodeUnheardError(
            f"{name} cannot be reached: {_reason(error)}",
            "sshd does so for some minutes after several failed logins: wait, and name the right "
            "key (IDENTITY_FILE); otherwise look at its log on the machine's console",
        )
    return NodeUnheardError(
        f"{name} cannot be reached: {_reason(error)}",
        "is the machine up, its SSH port open, NODE_ADDRESS and NODE_PORT right?"
        if is_node
        else "it is a jump host of ~/.ssh/config: is it up, and its HostName and Port right?",
    )


def _reason(error: Exception) -> str:
    """Say why, without Python's numbers of errors."""
    if isinstance(error, paramiko.ChannelException):
        return f"its jump host answers {error.text!r}"
    if _closed(error):
        return "the connection was closed before the login"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return re.sub(r"\s*\[Errno [^]]*\]\s*", ": ", text).strip(": ")


def _closed(error: Exception) -> bool:
    """Check whether the other side closed the connection; paramiko's own error may hide that."""
    ends = (EOFError, ConnectionResetError, BrokenPipeError)
    return isinstance(error, ends) or isinstance(error.__context__, ends)


def _refused_key(error: HostKeyError, hop: Hop, name: str, *, is_node: bool) -> DeployError:
    shown, known, to = error.key.fingerprint, error.known, hop.options
    place = f"[{to.name}]" if ":" in to.name else to.name
    other = "" if is_node else f" -H {to.user}@{place}:{to.port}"
    fix = f"`fab{other} trust --fingerprint {shown}`"
    if key_line(error.key) in known.revoked:
        message = f"the host key of {name} is revoked (@revoked in known_hosts): {shown}"
        hint = "whoever has that key can pose as the machine: give it another, pin that one"
    elif not known.keys:
        message = f"the host key of {name} is not pinned: it shows {shown}"
        hint = f"compare with the fingerprint on the machine's console, then pin it with {fix}"
    else:
        pinned = ", ".join(map(fingerprint_of, known.keys))
        message = f"the host key of {name} has changed: pinned {pinned}, shown {shown}"
        hint = (
            "another machine may answer at that address. If you reinstalled yours, compare with "
            f"its console and pin the new key with {fix}"
        )
    return _HostKeyRefusedError(hop, error.key, message, hint)
