"""Broken variations of a config: the mistakes that people and machines make."""

import random
import re
from collections.abc import Callable

_VALUES = (
    "",
    "~",
    "null",
    "yes",
    "'yes'",
    "true",
    "0",
    "1",
    "-1",
    "644",
    "0644",
    "0o1777",
    "'0644'",
    "1.5",
    "4096.0",
    "99999999999999999999",
    "2024-01-31",
    "[]",
    "{}",
    "[a]",
    "{a: b}",
    "[~]",
    "a/b",
    "/a//b",
    "/etc/../x",
    "/",
    "''",
    "http://[::1",
    "http://a b/",
    "https://x.example/%zz",
    "s3://b/k?versionId=",
    "data:,%7",
    "data:;base64,a",
    "sha512-00",
    "x" * 40,
    "a:b",
    "*nowhere",
    "&a b",
    "!!str 12",
    "!!int x",
    "!thing x",
    '"\\u2028<&>"',
    "[Unit]",
    "|\n  x",
)
_KEYS = ("path", "name", "inline", "local", "source", "device", "nonsense", "contents", "label")
_VERSIONS = (
    *(f"1.{minor}.0" for minor in range(8)),
    "1.8.0-experimental",
    "1.9.0",
    "1.7",
    "'1.6.0'",
    "3.0.0",
)


def mutate(text: str, chance: random.Random) -> str:
    """Break a config in one to three ways."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text = chance.choice(_WAYS)(text, chance)
    return text


def _delete_line(text: str, chance: random.Random) -> str:
    return _on_line(text, chance, lambda _line: None)


def _repeat_line(text: str, chance: random.Random) -> str:
    return _on_line(text, chance, lambda line: f"{line}\n{line}")


def _indent_line(text: str, chance: random.Random) -> str:
    return _on_line(text, chance, lambda line: " " * chance.choice((1, 2, 4)) + line)


def _dedent_line(text: str, chance: random.Random) -> str:
    return _on_line(text, chance, lambda line: line.removeprefix("  "))


def _replace_value(text: str, chance: random.Random) -> str:
    value = chance.choice(_VALUES)
    return _on_line(
        text, chance, lambda line: re.sub(r"(:\s|-\s)\S.*$", lambda m: m[1] + value, line)
    )


def _rename_key(text: str, chance: random.Random) -> str:
    key = chance.choice(_KEYS)
    return _on_line(text, chance, lambda line: re.sub(r"[\w-]+:", f"{key}:", line, count=1))


def _add_line(text: str, chance: random.Random) -> str:
    extra = f"{chance.choice(_KEYS)}: {chance.choice(_VALUES)}"

    def beside(line: str) -> str:
        indent = re.match(r"\s*(?:- )?", line)
        return f"{line}\n{' ' * len(indent[0] if indent else '')}{extra}"

    return _on_line(text, chance, beside)


def _change_version(text: str, chance: random.Random) -> str:
    return re.sub(r"(?m)^version:.*$", f"version: {chance.choice(_VERSIONS)}", text)


def _drop_character(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) or 1)
    return text[:place] + text[place + 1 :]


def _add_character(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) or 1)
    return text[:place] + chance.choice("\t\n :-#'\"[]{},&*!|>%@`\\~é\u2028") + text[place:]


def _swap_blocks(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    start, end = sorted(chance.randrange(len(lines)) for _ in range(2))
    block = lines[start:end]
    return "\n".join([*lines, *block])


def _on_line(text: str, chance: random.Random, change: Callable[[str], str | None]) -> str:
    lines = text.split("\n")
    place = chance.randrange(len(lines))
    changed = change(lines[place])
    lines[place : place + 1] = [] if changed is None else [changed]
    return "\n".join(lines)


_WAYS = (
    _delete_line,
    _repeat_line,
    _indent_line,
    _dedent_line,
    _replace_value,
    _replace_value,
    _replace_value,
    _rename_key,
    _add_line,
    _change_version,
    _drop_character,
    _add_character,
    _swap_blocks,
)
