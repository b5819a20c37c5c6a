"""Ignore errors: contextlib.suppress without contextlib's half megabyte of memory."""

from __future__ import annotations


class suppress:  # noqa: N801 - named as the one it replaces
    """Ignore these errors in the block."""

    __slots__ = ("_errors",)

    def __init__(self, *errors: type[BaseException]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._errors)
