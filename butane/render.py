"""Render templates: fill their blanks with values.

A blank is `@NAME@` in capitals; one without a value is an error. A blank with several values
repeats its line for each, one with an empty list removes the line. `@@NAME@@` is `@NAME@` itself.
A blank in a file's name repeats the file for each value; inside that file, the blank and every
blank that begins with its name and `_` have the value of that file.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from butane.errors import ButaneError

_BLANK = re.compile(r"@(@?)([A-Z][A-Z0-9_]*)@\1")

Values = Mapping[str, str | tuple[str, ...]]


def render_text(text: str, values: Values, *, source: str) -> str:
    """Fill the blanks of a template.

    Raises:
        ButaneError: naming `source` and the line of every blank without a value.
    """
    lines = text.splitlines(keepends=True)
    unknown = [
        f"{source}:{number}: the blank @{blank}@ has no value"
        for number, line in enumerate(lines, 1)
        for blank in sorted(set(_blanks(line)))
        if blank not in values
    ]
    if unknown:
        raise ButaneError(
            "\n".join(unknown), f"the blanks are: {', '.join(sorted(values))}; @@NAME@@ is literal"
        )
    return "".join(filled for line in lines for filled in _fill(line, values))


def origin_lines(text: str, values: Values) -> tuple[int, ...]:
    """Give the line of a template that each line of its rendered text is from."""
    return tuple(
        number
        for number, line in enumerate(text.splitlines(keepends=True), 1)
        for filled in _fill(line, values)
        for _ in filled.splitlines()
    )


def render_folder(folder: Path, values: Values) -> dict[str, bytes]:
    """Fill every file below a folder: path relative to the folder -> content.

    Files that are not UTF-8 text are copied unchanged.

    Raises:
        ButaneError: naming file and line of every blank without a value, in all files, and names
            that are not UTF-8.
    """
    rendered: dict[str, bytes] = {}
    problems: list[ButaneError] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == ".gitkeep":
            continue
        content = path.read_bytes()
        if not _is_text(str(path)):
            shown = str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
            problems.append(ButaneError(f"{shown}: the name is not UTF-8", "rename it"))
            continue
        for name, own in _named(path.relative_to(folder).as_posix(), values):
            try:
                rendered[name] = _render(content, own, source=str(path))
            except ButaneError as error:
                problems.append(error)
    if problems:
        raise ButaneError("\n".join(error.message for error in problems), problems[0].hint)
    return rendered


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(name: str, values: Values) -> Iterator[tuple[str, Values]]:
    """Yield each file name that a template makes, with the values for its text."""
    blank = next(_blanks(name), "")
    found = values.get(blank)
    if not isinstance(found, tuple):
        yield name, values
        return
    for turn in range(len(found)):
        own = {
            key: value[turn]
            for key, value in values.items()
            if isinstance(value, tuple) and (key == blank or key.startswith(f"{blank}_"))
        }
        yield name.replace(f"@{blank}@", found[turn]), {**values, **own}


def _render(content: bytes, values: Values, *, source: str) -> bytes:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    return render_text(text, values, source=source).encode()


def _blanks(line: str) -> Iterator[str]:
    return (match[2] for match in _BLANK.finditer(line) if not match[1])


def _fill(line: str, values: Values) -> Iterator[str]:
    several = {blank: found for blank in _blanks(line) if isinstance(found := values[blank], tuple)}
    rounds = min((len(found) for found in several.values()), default=1)
    for turn in range(rounds):
        yield _BLANK.sub(partial(_value, values, turn), line)


def _value(values: Values, turn: int, match: re.Match[str]) -> str:
    if match[1]:
        return f"@{match[2]}@"
    found = values[match[2]]
    return found if isinstance(found, str) else found[turn]
