"""Download files: resumed where an earlier try broke off, verified by SHA-256."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from deploy.console import progress
from deploy.errors import DeployError

_PATIENCE_SECONDS = 30
# A broken transfer loses at most this much.
_CHUNK = 1 << 16
_PARTIAL = 206
_TOO_FAR = 416
_MOST_READ = 16 << 20
_MOST_FETCHED = 8 << 30


def read(place: str) -> bytes:
    """Read a small file from a URL or a local path.

    Raises:
        DeployError: when it cannot be read or downloaded.
    """
    if not _is_url(place):
        with _reading(place):
            return Path(place).read_bytes()
    try:
        content = bytearray()
        with requests.get(place, stream=True, timeout=_PATIENCE_SECONDS) as answer:
            answer.raise_for_status()
            for part in answer.iter_content(_CHUNK):
                content += part
                _refuse_larger(place, len(content), _MOST_READ)
    except requests.RequestException as error:
        raise _not_downloaded(place, error) from error
    return bytes(content)


def partial_of(target: Path) -> Path:
    """Name the file in which a download arrives."""
    return target.with_name(f"{target.name}.partial")


def fetch(
    place: str, target: Path, *, sha256: str, check: Callable[[Path], None] = lambda _: None
) -> None:
    """Download or copy a file; it gets its name only when its hash is right and `check` passes.

    Until then it is TARGET.partial, from which the next try continues.

    Raises:
        DeployError: when it cannot be read, or has another hash; a wrong file is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_of(target)
    if partial.exists() and _sha256(partial) == sha256:
        pass  # it is complete already
    elif _is_url(place):
        _download(place, partial)
    else:
        with _reading(place):
            shutil.copyfile(place, partial)
    found = _sha256(partial)
    if found != sha256:
        partial.unlink()
        raise DeployError(
            f"{place} has the hash {found}, expected {sha256}",
            "download it again; if the hash stays wrong, the mirror or a proxy changes the file",
        )
    check(partial)
    partial.replace(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_larger(place: str, size: int, most: int) -> None:
    if size > most:
        raise DeployError(
            f"{place} is larger than {most} bytes", "the mirror or a proxy sends something else"
        )


@contextmanager
def _reading(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeployError(f"{place} cannot be read: {error.strerror}", "check the path") from error


def _is_url(place: str) -> bool:
    return place.startswith(("https://", "http://"))


def _download(address: str, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={there}-"} if there else {}
    try:
        with requests.get(
            address, headers=headers, stream=True, timeout=_PATIENCE_SECONDS
        ) as answer:
            if answer.status_code == _TOO_FAR:
                return  # it is complete already: its hash decides
            answer.raise_for_status()
            goes_on = answer.status_code == _PARTIAL
            there = there if goes_on else 0
            total = there + int(answer.headers.get("Content-Length", 0))
            with (
                partial.open("ab" if goes_on else "wb") as file,
                progress.progress(f"downloading {partial.stem}", total) as show,
            ):
                show(there)
                for part in answer.iter_content(_CHUNK):
                    _refuse_larger(address, file.tell() + len(part), _MOST_FETCHED)
                    file.write(part)
                    show(len(part))
    except requests.RequestException as error:
        raise _not_downloaded(address, error) from error


def _not_downloaded(address: str, error: Exception) -> DeployError:
    return DeployError(
        f"{address} cannot be downloaded: {error}",
        "run the same command again: it continues where it broke off; without a network, give "
        "copies with --metadata and --source",
    )
