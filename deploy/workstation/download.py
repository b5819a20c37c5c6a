"""Fetching a large file: with a bar, going on where an earlier try was cut."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import requests

from deploy.console import progress
from deploy.errors import DeployError

_PATIENCE_SECONDS = 30
# What a cut transfer may lose.
_CHUNK = 1 << 16
_PARTIAL = 206
_TOO_FAR = 416


def read(place: str) -> bytes:
    """Read a small file, from an address or from this machine.

    Raises:
        DeployError: when it cannot be had.
    """
    if not _is_address(place):
        try:
            return Path(place).read_bytes()
        except OSError as error:
            raise DeployError(
                f"{place} cannot be read: {error.strerror}", "mend its name"
            ) from error
    try:
        answer = requests.get(place, timeout=_PATIENCE_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise _unreached(place, error) from error
    return answer.content


def fetch(place: str, target: Path, *, sha256: str) -> None:
    """Bring a file here, from an address or this machine; it gets its name only when proven.

    Raises:
        DeployError: when it cannot be had, or is another one; what was fetched stays for the next
            try unless it is wrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    if _is_address(place):
        _download(place, partial)
    else:
        try:
            shutil.copyfile(place, partial)
        except OSError as error:
            raise DeployError(
                f"{place} cannot be read: {error.strerror}", "mend its name"
            ) from error
    found = _sha256(partial)
    if found != sha256:
        partial.unlink()
        raise DeployError(
            f"{place} has the hash {found}, {sha256} is expected",
            "fetch it again; if it stays so, the mirror or somebody on the way changes it",
        )
    partial.replace(target)


def _is_address(place: str) -> bool:
    return place.startswith(("https://", "http://"))


def _download(address: str, partial: Path) -> None:
    there = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={there}-"} if there else {}
    try:
        with requests.get(
            address, headers=headers, stream=True, timeout=_PATIENCE_SECONDS
        ) as answer:
            if answer.status_code == _TOO_FAR:
                return  # all of it is here: its hash decides
            answer.raise_for_status()
            goes_on = answer.status_code == _PARTIAL
            there = there if goes_on else 0
            total = there + int(answer.headers.get("Content-Length", 0))
            with (
                partial.open("ab" if goes_on else "wb") as file,
                progress.progress(f"fetching {partial.stem}", total) as show,
            ):
                show(there)
                for part in _parts(answer):
                    file.write(part)
                    show(len(part))
    except requests.RequestException as error:
        raise _unreached(address, error) from error


def _parts(answer: requests.Response) -> Iterator[bytes]:
    parts: Iterator[bytes] = answer.iter_content(_CHUNK)
    return parts


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreached(address: str, error: Exception) -> DeployError:
    return DeployError(
        f"{address} cannot be fetched: {error}",
        "run the same command again: it goes on from what is there; without a network, give "
        "copies with --metadata and --source",
    )
