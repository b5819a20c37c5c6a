"""What a scalar of a YAML file means, by go-yaml's rules."""

import base64
import binascii
import datetime
import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from butane.errors import ButaneError
from butane.translate.yaml_node import Node

Meaning: TypeAlias = str | int | float | bool | None

_WORDS: dict[str, tuple[str, Meaning]] = {
    **dict.fromkeys(("true", "True", "TRUE"), ("!!bool", True)),
    **dict.fromkeys(("false", "False", "FALSE"), ("!!bool", False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), ("!!null", None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), ("!!float", math.nan)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), ("!!float", math.inf)),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), ("!!float", -math.inf)),
    "<<": ("!!merge", "<<"),
}
_RESOLVED = {"", "!!str", "!!bool", "!!int", "!!float", "!!null", "!!timestamp"}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_DOT_FLOAT = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?", re.ASCII)
_INTEGERS = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
    (re.compile(r"([-+]?)0[oO]([0-7]+)"), 8),
    (re.compile(r"([-+]?)0([0-7]+)"), 8),
    (re.compile(r"([-+]?)(0|[1-9][0-9]*)"), 10),
)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)"
    r"| (\d\d?):(\d\d?):(\d\d?)(?:[.,]\d+)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A scalar's tag and meaning; timestamps keep their text."""

    tag: str
    meaning: Meaning


def resolve(node: Node) -> Resolved:
    """Interpret a scalar; raise `ButaneError` when its tag does not fit its text."""
    if node.tag == "!!str" or (not node.tag and node.quoted):
        return Resolved("!!str", node.text)
    if node.tag == "!!binary":
        return Resolved("!!binary", _binary(node.text))
    if node.tag not in _RESOLVED:
        return Resolved(node.tag, node.text)
    found = _untagged(node.text, node.tag)
    if node.tag in ("", found.tag):
        return found
    if node.tag == "!!float" and isinstance(found.meaning, int) and found.tag == "!!int":
        return Resolved("!!float", float(found.meaning))
    raise ButaneError(f"yaml: cannot decode {found.tag} `{node.text}` as a {node.tag}")


def is_null(node: Node) -> bool:
    """Check whether a node is null, also through an alias."""
    while node.target is not None:
        node = node.target
    return node.kind == "scalar" and resolve(node).tag == "!!null"


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error as error:
        raise ButaneError("yaml: !!binary value contains invalid base64 data") from error
    return data.decode("utf-8", "surrogateescape")


def _untagged(text: str, tag: str) -> Resolved:
    if text in _WORDS:
        return Resolved(*_WORDS[text])
    if text[0] == "." and _DOT_FLOAT.fullmatch(text):
        return Resolved("!!float", float(text))
    if text[0] in "+-0123456789":
        if tag in ("", "!!timestamp") and _is_timestamp(text):
            return Resolved("!!timestamp", text)
        return _number(text)
    return Resolved("!!str", text)


def _number(text: str) -> Resolved:
    plain = text.replace("_", "")
    for pattern, base in _INTEGERS:
        if match := pattern.fullmatch(plain):
            number = int(match[1] + match[2], base)
            if -(2**63) <= number < 2**64:
                return Resolved("!!int", number)
    if _FLOAT.fullmatch(plain):
        return Resolved("!!float", float(plain))
    return Resolved("!!str", text)


def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return False
    numbers = [int(each) for each in match.groups() if each is not None]
    year = numbers[0] or 400  # year 0 exists here, and is a leap year
    try:
        hour, minute, second = numbers[3:] or (0, 0, 0)
        datetime.date(year, numbers[1], numbers[2])
        datetime.time(hour, minute, second)
    except ValueError:
        return False
    return True
