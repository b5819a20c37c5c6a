"""Files of known host keys: the project's own, which `pin` writes, and the user's."""

import base64
import fnmatch
import functools
import hmac
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.node.host_key import KINDS
from deploy.node.ssh_config import SSH_PORT
from deploy.workstation.files import write_atomically

_MARKERS = ("@revoked", "@cert-authority")


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The keys that a host may show, and those that it may not, each as `ssh-ed25519 AAAA…`."""

    keys: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()


def known_keys(files: Iterable[Path], names: Iterable[tuple[str, int | None]]) -> KnownKeys:
    """Read a host's keys from the first file, and by the first name, that has some.

    Revoked keys are read from all files. What cannot be used is skipped, with a warning unless it
    is a key of a type that only ssh can check.
    """
    keys: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()
    for file, (host, port) in itertools.product(files, names):
        found = [one for one in _entries(file) if one.is_for(host, port)]
        for one in found:
            if one.marker == "@cert-authority":
                _warn(f"{file}:{one.line}: @cert-authority is not supported, the line is ignored")
        revoked |= {one.key for one in found if one.marker == "@revoked"}
        keys = keys or tuple(one.key for one in found if not one.marker and one.kind in KINDS)
    return KnownKeys(tuple(key for key in keys if key not in revoked), revoked)


def pin(path: Path, host: str, port: int | None, keys: tuple[str, ...]) -> None:
    """Let a node show these keys and no others; each is `ssh-ed25519 AAAA…`."""
    lines = [f"{host_pattern(host, port)} {' '.join(key.split()[:2])}\n" for key in keys]
    _write(path, [*_other_lines(path, host, port), *lines])


def unpin(path: Path, host: str, port: int | None) -> None:
    """Remove a node's keys."""
    if path.exists():
        _write(path, _other_lines(path, host, port))


def pinned(path: Path, host: str, port: int | None) -> tuple[str, ...]:
    """List the keys that a node may show, each as `ssh-ed25519 AAAA…`."""
    return known_keys((path,), ((host, port),)).keys


def host_pattern(host: str, port: int | None) -> str:
    """Write a host as known_hosts does: with its port where that is not the usual one."""
    return host if port in {None, SSH_PORT} else f"[{host}]:{port}"


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int
    marker: str
    hosts: str
    key: str

    @property
    def kind(self) -> str:
        return self.key.partition(" ")[0]

    def is_for(self, host: str, port: int | None) -> bool:
        # A revoked key is refused at every port of its host.
        names = {host_pattern(host, port), *([host] if self.marker == "@revoked" else [])}
        return any(_matches(self.hosts, name) for name in names)


def _entries(path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(_lines(path), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        try:
            yield _entry(number, marker, words)
        except ValueError:
            _warn(f"{path}:{number}: not a host key, the line is ignored")


def _entry(number: int, marker: str, words: list[str]) -> _Entry:
    hosts, kind, text = words[:3]
    blob = base64.b64decode(text, validate=True)
    length = int.from_bytes(blob[:4], "big")
    if marker not in {"", *_MARKERS} or blob[4 : 4 + length] != kind.encode():
        raise ValueError
    _matches(hosts, "")
    return _Entry(number, marker, hosts, f"{kind} {base64.b64encode(blob).decode()}")


def _matches(patterns: str, name: str) -> bool:
    """Compare a host with patterns as ssh does: `*`, `?`, `!` and hashed names."""
    found = {one[:1] == "!" for one in patterns.split(",") if _is_like(one.lstrip("!"), name)}
    return found == {False}


def _is_like(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        _, _, salt, digest = pattern.split("|")
        made = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return hmac.compare_digest(made, base64.b64decode(digest))
    return fnmatch.fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


@functools.cache
def _warn(text: str) -> None:
    """Warn once, though several logins read the same file."""
    from deploy.console import output  # noqa: PLC0415 -- only where there is something to say

    output.warn(text)


def _other_lines(path: Path, host: str, port: int | None) -> list[str]:
    left = (_without(line, host_pattern(host, port)) for line in _lines(path))
    return [f"{line}\n" for line in left if line is not None]


def _without(line: str, name: str) -> str | None:
    """Remove a host from a line, hashed or not; exclude it from wildcards; None if no host is left.

    Comments, lines with a marker and what is not understood stay.
    """
    hosts, *rest = line.split(None, 1)[:2] or [""]
    if hosts[:1] in {"", "#", "@"}:
        return line
    try:
        patterns = hosts.split(",")
        left = [one for one in patterns if not (_is_like(one, name) and not {"*", "?"} & set(one))]
        if _matches(",".join(left), name):
            left.append(f"!{name}")
    except ValueError:
        return line
    if left == patterns:
        return line
    return " ".join([",".join(left), *rest]) if left else None


def _lines(path: Path) -> list[str]:
    """Read the lines of a file; bytes that are not UTF-8 stay what they are."""
    if not path.exists():
        return []
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
    except OSError as error:
        raise DeployError(
            f"{path} cannot be read: {error.strerror}", "correct its owner or mode"
        ) from error
    return text.removesuffix("\n").split("\n") if text else []


def _write(path: Path, lines: list[str]) -> None:
    write_atomically(path, "".join(lines).encode(errors="surrogateescape"), 0o644)
