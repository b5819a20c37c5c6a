"""The images that `make bench-image` sends: a Debian base, an application, a small top layer."""

import hashlib
import io
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.unit.deploy.image.make import image, write_layout

Entry = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Built:
    """An image in podman's storage."""

    name: str
    id: str
    layers: tuple[Path, ...]
    size: int


def debian(tree: Path) -> list[Entry]:
    """Read the files of a Debian tree, in the order of their names."""
    found = []
    for path in sorted(tree.rglob("*")):
        entry = tarfile.TarInfo(str(path.relative_to(tree)))
        if path.is_symlink():
            entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
            found.append((entry, b""))
        elif path.is_dir():
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            found.append((entry, b""))
        elif path.is_file():
            content = path.read_bytes()
            entry.size, entry.mode = len(content), path.stat().st_mode & 0o777
            found.append((entry, content))
    return found


def texts(prefix: str, count: int, size: int, seed: int) -> list[Entry]:
    """Make files that compress about as programs do, the same each time."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    found = []
    for number in range(count):
        content = chance.randbytes(size // 3).hex().encode()[: size * 2 // 3]
        content += content[: size - len(content)]
        entry = tarfile.TarInfo(f"{prefix}/{number:05}")
        entry.size, entry.mode = len(content), 0o644
        found.append((entry, content))
    return found


def updated(entries: Iterable[Entry], share: float) -> list[Entry]:
    """Update some of the files, as a security update does: new code here and there, new times."""
    chance = random.Random(4)  # noqa: S311 -- no secret
    found = []
    for entry, content in entries:
        if not entry.isreg() or not content or chance.random() > share:
            found.append((entry, content))
            continue
        # A fifth of each is new, and the rest moves.
        at, count = len(content) // 3, len(content) // 5
        changed = content[:at] + chance.randbytes(count + 7) + content[at + count :]
        made = tarfile.TarInfo(entry.name)
        made.size, made.mode, made.mtime = len(changed), entry.mode, 1_700_000_000
        found.append((made, changed))
    return found


def one_changed(entries: list[Entry], which: int, change: Callable[[bytes], bytes]) -> list[Entry]:
    """Change one file."""
    entry, content = entries[which]
    made = tarfile.TarInfo(entry.name)
    changed = change(content)
    made.size, made.mode, made.mtime = len(changed), entry.mode, 1_700_000_000
    return [*entries[:which], (made, changed), *entries[which + 1 :]]


def write_layer(entries: Iterable[Entry], file: Path) -> Path:
    """Write a layer's tar."""
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            tar.addfile(entry, io.BytesIO(content))
    return file


def build(name: str, layers: tuple[Path, ...], folder: Path) -> Built:
    """Put an image of these layers into podman's storage."""
    made = image([layer.read_bytes() for layer in layers])
    place = write_layout(made, folder / f"layout-{hashlib.sha256(name.encode()).hexdigest()[:8]}")
    subprocess.run(["podman", "pull", "-q", f"oci:{place}"], check=True, capture_output=True)
    subprocess.run(["podman", "tag", made.id, name], check=True, capture_output=True)
    subprocess.run(["rm", "-rf", place], check=True)
    return Built(name, made.id[7:], layers, sum(layer.stat().st_size for layer in layers))


def bound(new: Built, old: Built | None) -> int:
    """Count the bytes of zstd's best patch from the old layers to the new: the least to be sent."""
    before = {} if old is None else {_digest(file): file for file in old.layers}
    total = 0
    for place, file in enumerate(new.layers):
        if _digest(file) in before:
            continue
        words = ["zstd", "-q", "-3", "--long=31", "-c", str(file)]
        if old is not None and place < len(old.layers):
            words.insert(1, f"--patch-from={old.layers[place]}")
        total += len(subprocess.run(words, check=True, capture_output=True).stdout)
    return total


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
