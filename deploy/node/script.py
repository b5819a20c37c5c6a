"""The text of a script for a node: with those helpers of the libraries that it calls."""

import base64
import gzip
import re
from functools import cache
from pathlib import Path

_DEPLOY = Path(__file__).parents[1]
# Files of helpers for all scripts.
LIBRARIES = ("preamble", "facts", "lib")
# A helper's first line and its last one; one that fits on a line is both.
_HELPER = re.compile(r"^(\w+)\(\) \{(?:.*\}$|\n(?:.*\n)*?^\}$)", re.MULTILINE)
_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)


@cache
def script_text(name: str) -> str:
    """Read a script for a node, behind what it needs of the libraries.

    A helper is needed when its name stands in the script, or in another that is needed.
    """
    preamble, own = "\n".join(map(_read, LIBRARIES)), _read(name)
    helpers = {found[1]: found[0] for found in _HELPER.finditer(preamble)}
    needed: dict[str, str] = {}
    texts = [own]
    while texts:
        words = set(re.findall(r"\w+", texts.pop()))
        new = {one: text for one, text in helpers.items() if one in words - needed.keys()}
        needed |= new
        texts += new.values()
    begins = _HELPER.sub("", preamble)
    called = [text for one, text in helpers.items() if one in needed]
    return re.sub(r"\n{2,}", "\n", "\n".join((begins, *called, own)))


@cache
def packed(name: str) -> bytes:
    """Compress a script: on a slow link its text is most of a small change."""
    return gzip.compress(script_text(name).encode(), mtime=0)


def line(name: str) -> str:
    """Compress a script into one line of text, for a script that has another one run."""
    return base64.b64encode(packed(name)).decode()


def _read(name: str) -> str:
    return _COMMENT.sub("", scripts()[name].read_text(encoding="utf-8"))


@cache
def scripts() -> dict[str, Path]:
    """Find the scripts for nodes, by their names: every `scripts` folder has some."""
    return {file.stem: file for file in _DEPLOY.glob("**/scripts/*.sh")}
