"""The project's own known_hosts: which host keys each node may show."""

from pathlib import Path

from deploy.node.target import SSH_PORT
from deploy.workstation.files import write_atomically


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
    words = [line.split() for line in _lines(path)]
    pattern = host_pattern(host, port)
    return tuple(" ".join(one[1:3]) for one in words if one and one[0] == pattern)


def host_pattern(host: str, port: int | None) -> str:
    """Write a host as known_hosts does: with its port where that is not the usual one."""
    return host if port in {None, SSH_PORT} else f"[{host}]:{port}"


def _other_lines(path: Path, host: str, port: int | None) -> list[str]:
    pattern = host_pattern(host, port)
    return [f"{line}\n" for line in _lines(path) if line.split(" ", 1)[0] != pattern]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _write(path: Path, lines: list[str]) -> None:
    write_atomically(path, "".join(lines).encode(), 0o644)
