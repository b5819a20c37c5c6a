"""The error of this package: every problem, and what to do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class CertError(Exception):
    """A certificate, a key or a password that cannot be used."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what was found, and what to do."""

    message: str
    hint: str = ""


def refusal(source: str, problems: Sequence[Problem]) -> CertError:
    """Join all problems of one source into one error: a line each, each hint once."""
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    lines = [f"{source}: {problem.message}" for problem in problems]
    return CertError("\n".join(lines), "\n".join(hints))


@contextmanager
def no_panic(source: str) -> Iterator[None]:
    """Turn a panic of cryptography's Rust code into CertError.

    Damaged key files can cause one (50.0.2: a short vector in the DEK-Info line of an old PEM
    key). It is a BaseException, and its class cannot be imported.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise CertError(f"{source}: the file is damaged: {error}", "get it again") from error
