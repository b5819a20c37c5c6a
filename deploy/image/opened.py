"""Bytes that can be had part by part, opened as a file: for what reads files."""

import io
from typing import TYPE_CHECKING

from deploy.image.pieces import Bytes

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Opened(io.RawIOBase):
    def __init__(self, source: Bytes) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._source)}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: "Buffer", /) -> int:
        view = memoryview(buffer).cast("B")
        found = self._source[self._at : self._at + len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)


def opened(source: Bytes) -> io.BufferedReader:
    """Open bytes for reading; who reads waits for those that are still arriving."""
    return io.BufferedReader(_Opened(source))
