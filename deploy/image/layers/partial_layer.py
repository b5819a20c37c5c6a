"""A layer that can be read while it is still being written."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Condition

from deploy.errors import DeployError
from deploy.image.layers.oci import hex_of


class PartialLayer:
    """A layer that one thread writes to a file; reading a range waits until it is written.

    The last byte becomes readable only after the whole layer matched its digest.
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
            with self._changed:
                self._changed.wait_for(lambda: self._error or self._readable >= stop)
                if self._error:
                    raise DeployError(f"layer {self.diff_id} cannot be read: {self._error}")
        return os.pread(self._descriptor, max(0, stop - start), start)

    def write(self, blocks: Iterable[bytes], file: Path) -> None:
        """Write the layer to a file and compare it with its digest.

        Raises:
            DeployError: when size or digest differ.
        """
        hashed, count = hashlib.sha256(), 0
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(self._descriptor, "wb", closefd=False) as out:
            for block in blocks:
                if self._error:
                    raise self._error
                hashed.update(block)
                out.write(block)
                out.flush()
                count += len(block)
                self._reach(min(count, self._size - 1))
        if count != self._size or hashed.hexdigest() != hex_of(self.diff_id):
            raise DeployError("its files in the local storage have changed since it was built")
        self._reach(count)

    @property
    def complete(self) -> bool:
        """Whether all of it is written and matched its digest."""
        return self._readable == self._size

    def stop(self) -> None:
        """Stop the writing thread, unless it is done."""
        if not self.complete:
            self.fail(DeployError("reading was stopped"))

    def fail(self, error: Exception) -> None:
        """Raise this error in all waiting readers."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _reach(self, count: int) -> None:
        with self._changed:
            self._readable = count
            self._changed.notify_all()
