"""The project's own known_hosts: which host key each node must show."""

from pathlib import Path

from deploy.workstation.files import write_atomically

_SSH_PORT = 22


def pin(path: Path, host: str, port: int | None, keys: tuple[str, ...]) -> None:
    """Let a node show these keys and no others; each is `ssh-ed25519 AAAA…`."""
    lines = [f"{_pattern(host, port)} {' '.join(key.split()[:2])}\n" for key in keys]
    _replace(path, [*_others(path, host, port), *lines])


def unpin(path: Path, host: str, port: int | None) -> None:
    """Forget a node."""
    if path.exists():
        _replace(path, _others(path, host, port))


def pinned(path: Path, host: str, port: int | None) -> tuple[str, ...]:
    """List the keys that a node may show, each as `ssh-ed25519 AAAA…`."""
    lines = path.read_text().splitlines() if path.exists() else []
    words = [line.split(" ", 1) for line in lines]
    return tuple(one[1] for one in words if one[0] == _pattern(host, port))


def _pattern(host: str, port: int | None) -> str:
    return host if port in {None, _SSH_PORT} else f"[{host}]:{port}"


def _others(path: Path, host: str, port: int | None) -> list[str]:
    if not path.exists():
        return []
    pattern = _pattern(host, port)
    lines = path.read_text().splitlines()
    return [f"{line}\n" for line in lines if line.split(" ", 1)[0] != pattern]


def _replace(path: Path, lines: list[str]) -> None:
    write_atomically(path, "".join(lines).encode(), 0o644)
