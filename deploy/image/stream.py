"""Encode an image for receive-image on the node: header lines, each followed by its bytes."""

import gzip
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from deploy.image.export.export import Export
from deploy.image.layers.oci import Content, digest, hex_of
from deploy.image.plan.bases import TransferPlan
from deploy.image.wire.chunks import cut_chunks
from deploy.image.wire.compress import CompressedChunk, Job
from deploy.image.wire.rate_meter import RateMeter
from deploy.node.file import File, pack
from deploy.node.state import Partial

_WRITE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class ImageStream:
    """The byte stream of one transfer; `partial` is what an interrupted transfer left.

    `on_sent` is called with a layer, the bytes sent for it, and how many of its bytes these cover.
    """

    plan: TransferPlan
    export: Export
    on_sent: Callable[[str, int, int], None]
    partial: Partial = field(default_factory=Partial)
    meter: RateMeter = field(default_factory=RateMeter)

    def parts(self) -> Iterator[bytes]:
        """Yield the bytes to send as they become ready.

        Bases come first: the node exports them while the image is still being read here.
        """
        yield from self._bases()
        content = self.export.content(self.plan.missing)
        yield from _metadata(content)
        for diff_id in self.plan.missing:
            yield from self._layer(diff_id)
        yield b"end\n"

    def _bases(self) -> Iterator[bytes]:
        """Request each base once, from the first image that has it.

        A base that is needed from a later image must not be skipped in an earlier export.
        """
        wanted = {base.diff_id for base in self.plan.bases.values()}
        for base in self.plan.bases.values():
            if base.diff_id in wanted:
                others = [one for one in base.image_layers if one not in wanted]
                wanted.difference_update(base.image_layers)
                yield _line("base", hex_of(base.image_id), *map(hex_of, others))

    def _layer(self, diff_id: str) -> Iterator[bytes]:
        base = self.plan.bases.get(diff_id)
        at = self.partial.layers.get(diff_id, 0)
        yield _line("layer", hex_of(diff_id), at, hex_of(base.diff_id) if base else "-")
        self.on_sent(diff_id, 0, at)
        with ExitStack() as stack:
            new = stack.enter_context(self.export.layer(diff_id))
            old = stack.enter_context(self.export.layer(base.diff_id)) if base else b""
            job = Job(diff_id, new, base.diff_id if base else "", old, self.partial.key)
            chunks = cut_chunks(new, old, at=at)
            for compressed in self.export.compressor.compress_in_order(job, chunks, self.meter):
                yield from self._chunk(job, compressed)
        yield _line("done", hex_of(diff_id))

    def _chunk(self, job: Job, compressed: CompressedChunk) -> Iterator[bytes]:
        chunk = compressed.chunk
        if chunk.kind == "copy":
            yield _line("copy", chunk.start, chunk.count)
        elif compressed.file is None:
            yield _line("raw", chunk.length)
            yield from self._measured(job, job.new[chunk.at : chunk.at + chunk.length])
        else:
            content, key = compressed.file.read_bytes(), compressed.key
            self.export.compressor.release(compressed)
            arrived = self._arrived(key, content)
            yield _line(
                chunk.kind, key, len(content), arrived, chunk.start, chunk.count, chunk.length
            )
            yield from self._measured(job, content[arrived:])
        if chunk.kind != "copy":
            self.meter.done += chunk.length
        self.on_sent(job.diff_id, 0, chunk.length)

    def _measured(self, job: Job, content: bytes) -> Iterator[bytes]:
        """Yield bytes, and measure how fast they are sent."""
        for start in range(0, len(content), _WRITE_BYTES):
            part = content[start : start + _WRITE_BYTES]
            began = time.monotonic()
            yield part
            self.meter.add_sent(len(part), time.monotonic() - began)
            self.on_sent(job.diff_id, len(part), 0)

    def _arrived(self, key: str, content: bytes) -> int:
        """Count the bytes of a chunk that the node already has; 0 if they differ."""
        partial = self.partial
        if key != partial.key or partial.bytes > len(content):
            return 0
        same = hashlib.sha256(content[: partial.bytes]).hexdigest() == partial.sha256
        return partial.bytes if same else 0


def _metadata(content: Content) -> Iterator[bytes]:
    """Encode the files of an OCI layout other than layers, as a tar."""
    files = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": content.index,
        f"blobs/sha256/{hex_of(digest(content.manifest))}": content.manifest,
        f"blobs/sha256/{hex_of(content.id)}": content.config,
    }
    data = gzip.compress(pack(File(f"/{name}", content, 0o600) for name, content in files.items()))
    yield _line("image", len(data))
    yield data


def _line(*words: str | int) -> bytes:
    return (" ".join(str(word) for word in words) + "\n").encode()
