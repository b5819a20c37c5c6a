"""Resolve the user that a worker runs as, given by name or number."""

from __future__ import annotations

import os
import pwd
import re

from container.errors import ContainerError

_NUMBERS = re.compile(r"(\d+)(?::(\d+))?")


def find_user(text: str) -> tuple[int, int]:
    """Find user and group id: `app`, `1000` or `1000:1000`; a number needs no passwd entry."""
    numbers = _NUMBERS.fullmatch(text)
    if numbers:
        uid = int(numbers[1])
        return uid, int(numbers[2]) if numbers[2] else uid
    try:
        entry = pwd.getpwnam(text)
    except KeyError as error:
        raise ContainerError(
            f"user {text!r} does not exist in this image", code=os.EX_NOUSER
        ) from error
    return entry.pw_uid, entry.pw_gid
