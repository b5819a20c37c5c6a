"""What a node reads that takes an image in: lines that say what the bytes after them are."""

import hashlib
import io
import os
import tarfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from deploy.image.content import Content, hex_of
from deploy.image.export import Export
from deploy.image.pace import Pace
from deploy.image.pieces import Bytes, Piece, cut
from deploy.image.program import compress
from deploy.plan.shipment import Shipment

# A patch of a piece takes 90 MB of memory here; four at once keep within half a gigabyte.
_WORKERS = min(os.cpu_count() or 1, 4)
_CHUNK = 1 << 18
# Above this share of a piece, a patch is compared with the piece for itself.
_POOR = 0.1


@dataclass(frozen=True, slots=True)
class Held:
    """What an earlier, cut transfer left on the node."""

    layers: dict[str, int] = field(default_factory=dict)
    key: str = ""
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that went over (`wire`), and bytes of a layer that are there (`covered`)."""

    layer: str
    wire: int
    covered: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """A shipment on its way: where its layers come from, and whom to tell of bytes sent."""

    shipment: Shipment
    export: Export
    tell: Callable[[Sent], None]
    held: Held = Held()
    pace: Pace = field(default_factory=Pace)

    def parts(self) -> Iterator[bytes]:
        """Give the bytes to send, as they become ready.

        The node begins to write out its own layers while the image is still being read here.
        """
        yield from self._bases()
        content = self.export.content(self.shipment.missing)
        yield from _described(content)
        with ExitStack() as stack:
            place = stack.enter_context(self.export.cache.workplace())
            pool = stack.enter_context(ThreadPoolExecutor(_WORKERS))
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            for diff_id in self.shipment.missing:
                yield from self._layer(diff_id, place, pool)
        yield b"end\n"

    def _bases(self) -> Iterator[bytes]:
        wanted: dict[str, set[str]] = {}
        for base in self.shipment.bases.values():
            wanted.setdefault(base.image_id, set()).add(base.diff_id)
        for image_id, diff_ids in wanted.items():
            others = [one for one in self.shipment.rest[image_id] if one not in diff_ids]
            yield _line("base", hex_of(image_id), *map(hex_of, others))

    def _layer(self, diff_id: str, place: Path, pool: ThreadPoolExecutor) -> Iterator[bytes]:
        base = self.shipment.bases.get(diff_id)
        at = self.held.layers.get(diff_id, 0)
        yield _line("layer", hex_of(diff_id), at, hex_of(base.diff_id) if base else "-")
        self.tell(Sent(diff_id, 0, at))
        with ExitStack() as stack:
            new = stack.enter_context(self.export.layer(diff_id))
            old = stack.enter_context(self.export.layer(base.diff_id)) if base else b""
            work = _Work(diff_id, new, old, place, self.pace, self.held.key)
            for packed in _in_order(pool, work, cut(new, old, at=at)):
                yield from self._piece(diff_id, packed)
        yield _line("done", hex_of(diff_id))

    def _piece(self, diff_id: str, packed: "_Packed") -> Iterator[bytes]:
        piece, data = packed.piece, packed.file
        if data is None:
            yield _line("copy", piece.start, piece.count)
            self.tell(Sent(diff_id, 0, piece.length))
            return
        content = data.read_bytes()
        data.unlink()
        key = packed.key
        held = self._held_of(key, content)
        yield _line(piece.kind, key, len(content), held, piece.start, piece.count, piece.length)
        for start in range(held, len(content), _CHUNK):
            part = content[start : start + _CHUNK]
            began = time.monotonic()
            yield part
            self.pace.add(len(part), time.monotonic() - began)
            self.tell(Sent(diff_id, len(part), 0))
        self.tell(Sent(diff_id, 0, piece.length))

    def _held_of(self, key: str, content: bytes) -> int:
        """Count the bytes of a piece that the node has already; none if they are others."""
        held = self.held
        if key != held.key or held.bytes > len(content):
            return 0
        same = hashlib.sha256(content[: held.bytes]).hexdigest() == held.sha256
        return held.bytes if same else 0


def _described(content: Content) -> Iterator[bytes]:
    """Send what an OCI layout holds besides layers, as a tar."""
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": content.index,
        f"blobs/sha256/{hashlib.sha256(content.manifest).hexdigest()}": content.manifest,
        f"blobs/sha256/{hex_of(content.id)}": content.config,
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    data = packed.getvalue()
    yield _line("image", len(data))
    yield data


@dataclass(frozen=True, slots=True)
class _Work:
    diff_id: str
    new: Bytes
    old: Bytes
    place: Path
    pace: Pace
    begun: str

    def do(self, piece: Piece) -> "_Packed":
        """Compress a piece, as a patch when that is smaller; a copy has no bytes."""
        if piece.kind == "copy":
            return _Packed(piece, None, "")
        level = self._level(piece)
        if piece.kind == "plain":
            return self._packed(piece, level, None)
        patched = self._packed(piece, level, self.old[piece.start : piece.start + piece.count])
        if patched.size <= piece.length * _POOR:
            return patched
        plain = self._packed(_plain(piece), level, None)
        worse = patched if plain.size < patched.size else plain
        if worse.file:
            worse.file.unlink()
        return plain if worse is patched else patched

    def _level(self, piece: Piece) -> int:
        """Go on with a piece that was cut as it was begun; else as the link asks for."""
        stem, _, level = self.begun.rpartition("-")
        begun = {_key(self.diff_id, piece, 0), _key(self.diff_id, _plain(piece), 0)}
        return int(level) if f"{stem}-0" in begun and level.isdigit() else self.pace.level

    def _packed(self, piece: Piece, level: int, like: bytes | None) -> "_Packed":
        stem = f"{hex_of(self.diff_id)}-{piece.at}-{piece.kind}"
        out, old = self.place / f"{stem}.zst", self.place / f"{stem}.old"
        if like is not None:
            old.write_bytes(like)
        data = self.new[piece.at : piece.at + piece.length]
        compress(data, out, level=level, like=None if like is None else old)
        old.unlink(missing_ok=True)
        return _Packed(piece, out, _key(self.diff_id, piece, level))


@dataclass(frozen=True, slots=True)
class _Packed:
    """A piece with the file of its compressed bytes, and the key that stands for these bytes."""

    piece: Piece
    file: Path | None
    key: str

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file else 0


def _plain(piece: Piece) -> Piece:
    return Piece("plain", piece.at, piece.length)


def _in_order(
    pool: ThreadPoolExecutor, work: _Work, pieces: Iterator[Piece]
) -> Iterator["_Packed"]:
    """Work some pieces ahead, and no more: what waits lies on disk."""
    ahead = _WORKERS + 1
    waiting: deque[Future[_Packed]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work.do, piece))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # The layers must not be closed under a piece that is still being worked on.
        for future in waiting:
            future.cancel() or future.exception()


def _key(diff_id: str, piece: Piece, level: int) -> str:
    """Name a piece so that the same name means the same bytes, with the same zstd."""
    parts = (hex_of(diff_id), piece.kind, piece.at, piece.length, piece.start, piece.count, level)
    return "-".join(str(part) for part in parts)


def _line(*words: str | int) -> bytes:
    return (" ".join(str(word) for word in words) + "\n").encode()
