"""Errors that end a program of this package with one line and its own exit code."""

from __future__ import annotations

import os


class ContainerError(Exception):
    """Store what was found and what to do; `code` is the exit code (the numbers of sysexits.h)."""

    def __init__(self, message: str, hint: str = "", *, code: int = os.EX_SOFTWARE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message
