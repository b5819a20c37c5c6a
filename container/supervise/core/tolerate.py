"""Errors that change nothing; contextlib.suppress without contextlib's half megabyte."""

from __future__ import annotations


class suppress:  # noqa: N801 - used as the one it stands for
    """Go on after the block when one of these errors ended it."""

    __slots__ = ("_errors",)

    def __init__(self, *errors: type[BaseException]) -> None:
        self._errors = errors

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._errors)
