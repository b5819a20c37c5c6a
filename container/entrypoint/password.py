"""Read a password into memory that can be wiped."""

from __future__ import annotations

import os

from container.errors import ContainerError

LONGEST = 1024


class Password:
    """A password as one buffer of bytes, ended by NUL for C; wiped when the block ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._buffer = bytearray(LONGEST + 2)

    def __enter__(self) -> bytearray:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ContainerError(
                f"{self._path}: {error.strerror}", "is the secret mounted?", code=os.EX_NOINPUT
            ) from error
        try:
            size = os.readv(descriptor, [self._buffer])
        finally:
            os.close(descriptor)
        return self._checked(size)

    def __exit__(self, *_: object) -> None:
        self._buffer[:] = bytes(len(self._buffer))

    def _checked(self, size: int) -> bytearray:
        # A last newline belongs to the editor that wrote it, not to the password.
        if size and self._buffer[size - 1] == ord("\n"):
            size -= 1
            self._buffer[size] = 0
        if size == 0 or size > LONGEST or self._buffer.find(0) < size:
            self.__exit__()
            raise ContainerError(
                f"{self._path} holds no usable password",
                f"it must be 1 to {LONGEST} bytes without NUL",
                code=os.EX_DATAERR,
            )
        return self._buffer
