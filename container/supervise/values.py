"""Readers of policy values: each returns the checked value or raises."""

from __future__ import annotations

import ipaddress
import pwd
import re
import shlex
from collections.abc import Callable, Iterable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_URL = re.compile(
    r"(?P<scheme>https?|tcp)://(?P<host>\[[^\]/]+\]|[^\[\]:/]+):(?P<port>\d{1,5})(?:/\S*)?"
)
_HIGHEST_PORT = 65535
_LIMITS = ("as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "stack")
_HIGHEST_LIMIT = 2**63 - 1
_HIGHEST_ID = 2**32 - 2  # 2**32 - 1 means "no change"
_USER_NUMBERS = re.compile(r"(\d+)(?::(\d+))?")
_SIZE = re.compile(r"(\d+)([KMG]?)")


class WrongValueError(ValueError):
    """A value that is not allowed; the message says what is allowed."""


def name(value: object) -> str:
    """Read a worker's name."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise WrongValueError("1 to 32 letters, digits, dots, dashes and underscores")


def command(value: object) -> tuple[str, ...]:
    """Read a command: a line as a shell would split it, or a list of words."""
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise WrongValueError(str(error)) from error
    if isinstance(words, list) and words and all(map(_is_text, words)) and words[0]:
        return tuple(words)
    raise WrongValueError("a command line, or a list of words")


def probe(value: object) -> str | tuple[str, ...]:
    """Read how a worker's health is checked; empty for heartbeats."""
    if isinstance(value, list):
        return command(value)
    if value == "heartbeat":
        return ""
    if value == "none" or (isinstance(value, str) and _is_address(value)):
        # A host name would need a lookup, which blocks the supervisor.
        return str(value).replace("://localhost:", "://127.0.0.1:")
    raise WrongValueError(
        "heartbeat, none, http://ADDRESS:PORT/PATH, https://…, tcp://ADDRESS:PORT, or a list of"
        " words; ADDRESS is localhost or an IP address"
    )


def _is_address(url: str) -> bool:
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found["port"]) <= _HIGHEST_PORT:
        return False
    try:
        ipaddress.ip_address(found["host"].strip("[]").replace("localhost", "127.0.0.1"))
    except ValueError:
        return False
    return True


def seconds(lowest: float) -> Callable[[object], float]:
    """Make a reader of seconds, this many at least."""

    def read(value: object) -> float:
        number = _number(value)
        if lowest <= number < float("inf"):
            return number
        raise WrongValueError(f"seconds, at least {lowest:g}")

    return read


def count(lowest: int) -> Callable[[object], int]:
    """Make a reader of whole numbers, this many at least."""

    def read(value: object) -> int:
        number = _number(value)
        if lowest <= number < float("inf") and number == int(number):
            return int(number)
        raise WrongValueError(f"a whole number, at least {lowest}")

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise WrongValueError("a number")
    try:
        return float(value)
    except ValueError as error:
        raise WrongValueError("a number") from error


def choice(*allowed: str) -> Callable[[object], str]:
    """Make a reader of one word of several."""

    def read(value: object) -> str:
        if value in allowed:
            return str(value)
        raise WrongValueError(f"one of {', '.join(allowed)}")

    return read


def flag(value: object) -> bool:
    """Read true or false."""
    if value in (True, "true", "yes", "1"):
        return True
    if value in (False, "false", "no", "0"):
        return False
    raise WrongValueError("true or false")


def size(value: object) -> int:
    """Read a number of bytes: 300M."""
    found = _SIZE.fullmatch(str(value))
    if found is None or isinstance(value, bool):
        raise WrongValueError("bytes, with K, M or G as 1024s")
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]]


def text(value: object) -> str:
    """Read a text."""
    if isinstance(value, str) and _is_text(value):
        return value
    raise WrongValueError("a text")


def texts(value: object) -> dict[str, str]:
    """Read a table of texts."""
    if isinstance(value, dict) and all(map(_is_text, value.values())) and _are_names(value):
        return value
    raise WrongValueError("a table of texts, by names without =")


def _are_names(names: Iterable[str]) -> bool:
    return all(_is_text(one) and one and "=" not in one for one in names)


def _is_text(value: object) -> bool:
    """Check that a text has no NUL, which would end a program's argument."""
    return isinstance(value, str) and "\0" not in value


def limits(value: object) -> dict[str, int]:
    """Read a table of resource limits."""
    if not isinstance(value, dict) or not set(value) <= set(_LIMITS):
        raise WrongValueError(f"a table with keys of {', '.join(_LIMITS)} (setrlimit(2))")
    found = {name: size(limit) for name, limit in value.items()}
    if any(limit > _HIGHEST_LIMIT for limit in found.values()):
        raise WrongValueError(f"at most {_HIGHEST_LIMIT}")
    return found


def user(value: object) -> tuple[int, int]:
    """Read a user: a name, a number, or two numbers with a colon; numbers need no passwd entry."""
    text = str(value)
    if numbers := _USER_NUMBERS.fullmatch(text):
        found = int(numbers[1]), int(numbers[2] or numbers[1])
    else:
        try:
            entry = pwd.getpwnam(text)
        except KeyError as error:
            raise WrongValueError(f"user {text!r} does not exist in this image") from error
        found = entry.pw_uid, entry.pw_gid
    if max(found) > _HIGHEST_ID:
        raise WrongValueError(f"numbers of at most {_HIGHEST_ID}")
    return found
