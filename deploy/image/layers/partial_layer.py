"""A layer that is still being read: its first pieces are sent while its last bytes come."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Condition

from deploy.errors import DeployError
from deploy.image.layers.oci import hex_of


class Arriving:
    """A layer that one thread writes into a file; who reads a part of it waits until it is there.

    The last byte is given away only after the whole was compared with the layer's digest.
    """

    def __init__(self, diff_id: str, size: int) -> None:
        self.diff_id = diff_id
        self._size = size
        self._descriptor = -1
        self._readable = 0
        self._error: Exception | None = None
        self._changed = Condition()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        if self._error or self._readable < stop:
            self._await(stop)
        return os.pread(self._descriptor, max(0, stop - start), start)

    def _await(self, stop: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._readable >= stop)
            if self._error:
                raise DeployError(f"layer {self.diff_id} cannot be read: {self._error}")

    def write(self, chunks: Iterable[bytes], file: Path) -> None:
        """Write the layer, hashing it.

        Raises:
            DeployError: when it is another than its digest says.
        """
        hashed, count = hashlib.sha256(), 0
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        for chunk in chunks:
            if self._error:
                raise self._error
            hashed.update(chunk)
            count += _write(self._descriptor, chunk)
            self._reach(min(count, self._size - 1))
        if count != self._size or hashed.hexdigest() != hex_of(self.diff_id):
            raise DeployError("its files have changed since it was made")
        self._reach(count)

    @property
    def whole(self) -> bool:
        """Tell whether all of it is there, and proven."""
        return self._readable == self._size

    def stop(self) -> None:
        """Tell the thread that reads that nobody waits any more."""
        if not self.whole:
            self.fail(DeployError("nobody waits for it"))

    def fail(self, error: Exception) -> None:
        """Tell those who wait that nothing more comes."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _reach(self, count: int) -> None:
        with self._changed:
            self._readable = count
            self._changed.notify_all()


def _write(descriptor: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)
