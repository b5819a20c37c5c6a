"""What a node reads that takes an image in: lines that say what the bytes after them are."""

import hashlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from deploy.image.export.export import Export
from deploy.image.layers.oci import Content, hex_of
from deploy.image.plan.bases import Shipment
from deploy.image.wire.chunks import cut
from deploy.image.wire.compress import Job, Packed
from deploy.image.wire.level import Pace
from deploy.node.state import Partial

_CHUNK = 1 << 18


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
    held: Partial = field(default_factory=Partial)
    pace: Pace = field(default_factory=Pace)

    def parts(self) -> Iterator[bytes]:
        """Give the bytes to send, as they become ready.

        The node begins to write out its own layers while the image is still being read here.
        """
        yield from self._bases()
        content = self.export.content(self.shipment.missing)
        yield from _described(content)
        for diff_id in self.shipment.missing:
            yield from self._layer(diff_id)
        yield b"end\n"

    def _bases(self) -> Iterator[bytes]:
        """Have each base written out once, by the first image that has it.

        What another image is asked for later must not lie there as an empty file by then.
        """
        bases = [one for one in self.shipment.bases.values() if one.image_id in self.shipment.rest]
        wanted = {base.diff_id for base in bases}
        for base in bases:
            if base.diff_id in wanted:
                layers = self.shipment.rest[base.image_id]
                others = [one for one in layers if one not in wanted]
                wanted.difference_update(layers)
                yield _line("base", hex_of(base.image_id), *map(hex_of, others))

    def _layer(self, diff_id: str) -> Iterator[bytes]:
        base = self.shipment.bases.get(diff_id)
        at = self.held.layers.get(diff_id, 0)
        yield _line("layer", hex_of(diff_id), at, hex_of(base.diff_id) if base else "-")
        self.tell(Sent(diff_id, 0, at))
        with ExitStack() as stack:
            new = stack.enter_context(self.export.layer(diff_id))
            old = stack.enter_context(self.export.layer(base.diff_id)) if base else b""
            job = Job(diff_id, new, base.diff_id if base else "", old, self.held.key)
            pieces = cut(new, old, at=at)
            for packed in self.export.press.in_order(job, pieces, self.pace):
                yield from self._piece(job, packed)
        yield _line("done", hex_of(diff_id))

    def _piece(self, job: Job, packed: Packed) -> Iterator[bytes]:
        piece = packed.piece
        if piece.kind == "copy":
            yield _line("copy", piece.start, piece.count)
        elif packed.file is None:
            yield _line("raw", piece.length)
            yield from self._measured(job, job.new[piece.at : piece.at + piece.length])
        else:
            content, key = packed.file.read_bytes(), packed.key
            self.export.press.sent(packed)
            held = self._held_of(key, content)
            yield _line(piece.kind, key, len(content), held, piece.start, piece.count, piece.length)
            yield from self._measured(job, content[held:])
        if piece.kind != "copy":
            self.pace.done += piece.length
        self.tell(Sent(job.diff_id, 0, piece.length))

    def _measured(self, job: Job, content: bytes) -> Iterator[bytes]:
        """Send bytes, and measure how fast they go."""
        for start in range(0, len(content), _CHUNK):
            part = content[start : start + _CHUNK]
            began = time.monotonic()
            yield part
            self.pace.add_sent(len(part), time.monotonic() - began)
            self.tell(Sent(job.diff_id, len(part), 0))

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


def _line(*words: str | int) -> bytes:
    return (" ".join(str(word) for word in words) + "\n").encode()
