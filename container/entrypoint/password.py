"""Read a password into memory that can be wiped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from container.errors import ContainerError

_LONGEST = 1024


@contextmanager
def read_password(path: str) -> Iterator[bytearray]:
    """Read a password as one buffer of bytes, ended by NUL for C; wipe it when the block ends."""
    buffer = bytearray(_LONGEST + 2)
    try:
        _fill(buffer, path)
        yield buffer
    finally:
        buffer[:] = bytes(len(buffer))


def _fill(buffer: bytearray, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ContainerError(
            f"{path}: {error.strerror}", "is the secret mounted?", code=os.EX_NOINPUT
        ) from error
    try:
        size = os.readv(descriptor, [buffer])
    finally:
        os.close(descriptor)
    # A last newline belongs to the editor that wrote it, not to the password.
    if size and buffer[size - 1] == ord("\n"):
        size -= 1
        buffer[size] = 0
    if size == 0 or size > _LONGEST or buffer.find(0) < size:
        raise ContainerError(
            f"{path} holds no usable password",
            f"it must be 1 to {_LONGEST} bytes without NUL",
            code=os.EX_DATAERR,
        )
