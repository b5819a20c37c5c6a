"""A reader of Terraform's language as `terraform fmt` writes it: a block, an argument a line."""

import json
import re
from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]

_BLOCK = re.compile(r'(\w+)((?: "[^"]*")*) \{')
_ARGUMENT = re.compile(r"(\w+) += (.+)")
_TEXT = re.compile(r'"((?:[^"\\$%]|\\.|\$(?!\{)|%(?!\{)|\$\$\{|%%\{)*)"')


def read(text: str) -> Body:
    """Read a file into what its JSON form holds; an expression is a text in ${}.

    Raises:
        ValueError: for a line that is not understood, or a block that does not end.
    """
    lines = iter(text.splitlines())
    body = _body(lines, end="")
    if next(lines, None) is not None:
        raise ValueError("a block ends that did not begin")
    return body


def _body(lines: Iterator[str], *, end: str) -> Body:
    body: Body = {}
    for line in lines:
        words = line.strip()
        if words == end and end:
            return body
        if block := _BLOCK.fullmatch(words):
            _place(body, [block[1], *re.findall(r'"([^"]*)"', block[2])], _body(lines, end="}"))
        elif argument := _ARGUMENT.fullmatch(words):
            _place(body, [argument[1]], _argument(argument[2], lines))
        elif words and not words.startswith("#"):
            raise ValueError(words)
    if end:
        raise ValueError(f"no {end}")
    return body


def _place(body: Body, names: list[str], value: object) -> None:
    """Put a value at its place; the same one twice is an error."""
    *above, last = names
    for name in above:
        body = body.setdefault(name, {})
    if last in body:
        raise ValueError(f"{last} twice")
    body[last] = value


def _argument(words: str, lines: Iterator[str]) -> object:
    if words == "{":
        return _body(lines, end="}")
    if words == "toset([":
        return [_value(line.strip().removesuffix(",")) for line in iter(lines.__next__, "  ])")]
    return _value(words)


def _value(words: str) -> object:
    if words.startswith("["):
        inner = words.removeprefix("[").removesuffix("]")
        return [_value(one) for one in inner.split(", ")]
    if words.startswith("{ "):
        return _body(iter([words.removeprefix("{ ").removesuffix(" }")]), end="")
    if text := _TEXT.fullmatch(words):
        plain: str = json.loads(f'"{text[1]}"')
        return plain.replace("$${", "${").replace("%%{", "%{")
    if re.fullmatch(r"true|false|\d+", words):
        return json.loads(words)
    return f"${{{words}}}"
