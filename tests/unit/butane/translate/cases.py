"""The corpus: configs by name, from the files in `tests/unit/butane/corpus`.

Each config follows a line `#### its name`. `@all` after the name stands for one config of every
version; `@nofiles` withholds the folder of local files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from butane.translate.versions import VERSIONS

CORPUS = Path(__file__).parent.parent / "corpus"
FILES = CORPUS / "files"
# A tree with an empty folder in it, which git does not keep.
(FILES / "tree/usr").mkdir(exist_ok=True)
_TITLE = re.compile(r"(?m)^#### (?P<name>[^\n@]*?)(?P<marks>(?: @\w+)*)\r?\n")


@dataclass(frozen=True, slots=True)
class Case:
    """One config, and the folder its local files come from."""

    topic: str
    name: str
    text: str
    files: Path | None


def read_cases(folder: Path = CORPUS) -> list[Case]:
    """Read the whole corpus."""
    return [case for path in sorted(folder.glob("*.cases")) for case in _read(path)]


def _read(path: Path) -> Iterator[Case]:
    source = path.read_bytes().decode()
    titles = list(_TITLE.finditer(source))
    ends = [*(title.start() for title in titles[1:]), len(source)]
    for title, end in zip(titles, ends, strict=True):
        text, name = source[title.end() : end], title["name"]
        files = None if "@nofiles" in title["marks"] else FILES
        if "@all" not in title["marks"]:
            yield Case(path.stem, name, text, files)
            continue
        for version in VERSIONS:
            text = re.sub(r"(?m)^version: .*$", f"version: {version}", text)
            yield Case(path.stem, f"{name}, {version}", text, files)
