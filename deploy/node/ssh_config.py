"""How ssh would reach a host and log in: the answer of `ssh -G`."""

import functools
import os
import pwd
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.workstation.programs import ProgramError, Start, run

SSH_PORT = 22
_SECONDS = 60
# `[user@]host[:port]`, an IPv6 address in brackets.
_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<ip>[^]]+)\]|(?P<host>[^][]+?))(?::(?P<port>[0-9]+))?/?"
)


@dataclass(frozen=True, slots=True)
class SshOptions:
    """How ssh would reach a host, which the user calls `name`, and log in to it.

    `jumps` are its jump hosts in the order they are visited, `agent` is the agent's socket.
    """

    name: str
    host: str
    port: int
    user: str
    alias: str
    jumps: tuple[str, ...]
    proxy_command: str
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...]
    identities_only: bool
    agent: str
    known_hosts: tuple[Path, ...]
    connect_seconds: int | None
    # `inet`, `inet6` or `any`, and the address of this machine to connect from.
    family: str
    bind: str

    @property
    def place(self) -> tuple[str, int]:
        """Its address and port."""
        return self.host, self.port

    @property
    def known_as(self) -> tuple[tuple[str, int], ...]:
        """The names and ports under which known_hosts may have the host, the first one first."""
        return ((self.alias, SSH_PORT), self.place) if self.alias else (self.place,)


@functools.cache
def ssh_options(host: str, port: int | None = None, user: str | None = None) -> SshOptions:
    """Ask ssh how it would reach a host; `Match exec` in its configuration runs commands.

    Raises:
        DeployError: when ssh is not installed or refuses its configuration.
    """
    # Of %C, a hash that differs between versions of ssh, only ssh knows the value.
    words = ["ssh", "-G", *_own_config(), "-o", "ControlPath=%C"]
    words += [*(("-p", str(port)) if port else ()), *(("-l", user) if user else ()), "--", host]
    try:
        answer = run(words, seconds=_SECONDS, start=Start(lines=4, operators=True))
    except ProgramError as error:
        if error.code is None:
            raise
        said = error.message.partition(":\n")[2].strip().splitlines()
        reason = "; ".join(dict.fromkeys(line.strip() for line in said)) or error.message
        raise DeployError(
            f"ssh does not take its configuration for {host}: {reason}",
            f"correct it; `ssh -G {host}` says the same",
        ) from error
    found: dict[str, list[str]] = {}
    for line in os.fsdecode(answer).splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return _options(host, found)


def jump_options(hop: str) -> SshOptions:
    """Ask ssh how it would reach a host of ProxyJump.

    Raises:
        DeployError: when it is not written as `[user@]host[:port]`, or ssh refuses.
    """
    match = _HOP.fullmatch(hop.strip())
    if not match:
        raise DeployError(f"{hop} is no jump host", "correct ProxyJump in ~/.ssh/config")
    port = int(match["port"]) if match["port"] else None
    return ssh_options(match["ip"] or match["host"], port, match["user"])


def _own_config() -> tuple[str, ...]:
    """Have ssh follow $HOME, as everything here does; it looks at the account's home only."""
    if Path.home() == _account_home():
        return ()
    config = Path.home() / ".ssh/config"
    return "-F", str(config) if config.is_file() else "none"


def _account_home() -> Path:
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def _options(name: str, found: Mapping[str, Sequence[str]]) -> SshOptions:
    def every(key: str) -> tuple[str, ...]:
        return tuple(value for value in found.get(key, ()) if value != "none")

    def first(key: str) -> str:
        return next(iter(every(key)), "")

    host, port, user, alias = first("hostname"), first("port"), first("user"), first("hostkeyalias")
    tokens = {
        "%": "%", "C": first("controlpath"), "d": str(Path.home()), "h": host,
        "i": str(os.getuid()), "j": first("proxyjump"),
        "k": alias or name, "L": socket.gethostname().partition(".")[0], "l": socket.gethostname(),
        "n": name, "p": port, "r": user, "u": pwd.getpwuid(os.getuid()).pw_name,
    }  # fmt: skip
    known_hosts = f"{first('userknownhostsfile')} {first('globalknownhostsfile')}".split()
    return SshOptions(
        name,
        host,
        int(port),
        user,
        alias,
        jumps=tuple(first("proxyjump").split(",")) if first("proxyjump") else (),
        proxy_command=_with_tokens(first("proxycommand"), tokens),
        identities=tuple(_path(text, tokens) for text in every("identityfile")),
        certificates=tuple(_path(text, tokens) for text in every("certificatefile")),
        identities_only=first("identitiesonly") == "yes",
        agent=_agent(found.get("identityagent", ("SSH_AUTH_SOCK",))[0], tokens),
        known_hosts=tuple(map(_in_home, known_hosts)),
        connect_seconds=int(first("connecttimeout") or 0) or None,
        family=first("addressfamily"),
        bind=first("bindaddress"),
    )


def _with_tokens(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub("%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    """Expand a path as ssh does, which prints it as it was written."""
    named = re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), text)
    path = Path(_with_tokens(named, tokens))
    try:
        return path.expanduser()
    except RuntimeError:  # `~ann`, and there is no ann
        return path


def _in_home(path: str) -> Path:
    """Follow $HOME where ssh has put the account's home in place of `~`."""
    usual = f"{_account_home()}/.ssh/"
    return Path.home() / ".ssh" / path.removeprefix(usual) if path.startswith(usual) else Path(path)


def _agent(named: str, tokens: Mapping[str, str]) -> str:
    if named == "none":
        return ""
    variable = re.fullmatch(r"\$?\{?(SSH_AUTH_SOCK|(?<=[${])\w+)\}?", named)
    return os.environ.get(variable[1], "") if variable else str(_path(named, tokens))
