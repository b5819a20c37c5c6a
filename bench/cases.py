"""The images that are sent in each case, and what the node has before."""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.images import Built, Entry, build, debian, one_changed, texts, updated, write_layer
from rehearsal import stock

CASES = {
    "first": "first deploy",
    "nothing": "nothing changed",
    "small": "small file changed",
    "layer": "file in big layer changed",
    "base": "base updated",
}


@dataclass(frozen=True)
class Case:
    """An image to send, and the one that the node has."""

    key: str
    title: str
    new: Built
    held: Built | None


class Images:
    """The layers that images are made of, and the images."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = debian(stock.tree(lambda _: None))

    def cases(self, part: int) -> list[Case]:
        """Make the images of every case, or smaller ones of the same kinds of files."""
        base, app = _share(self._base, part), texts("srv/app", 400 // part, 100_000, 1)
        top = texts("srv/top", 60, 4_000, 2)
        made = partial(self._built, f"bench{part}")
        layers = {
            "base": base, "app": app, "top": top, "base2": updated(base, 0.03),
            "top2": one_changed(top, 30, lambda text: text[:100] + b"one line\n" + text[100:]),
            "app2": one_changed(app, 20, lambda text: text[:-1000] + text[:1000]),
        }  # fmt: skip
        tars = {
            name: write_layer(one, self._folder / f"{name}-{part}.tar")
            for name, one in layers.items()
        }
        first = made(tars, "base", "app", "top")
        return [
            Case("first", CASES["first"], first, None),
            Case("nothing", CASES["nothing"], first, first),
            Case("small", CASES["small"], made(tars, "base", "app", "top2"), first),
            Case("layer", CASES["layer"], made(tars, "base", "app2", "top"), first),
            Case("base", CASES["base"], made(tars, "base2", "app", "top"), first),
        ]

    def large(self) -> list[Case]:
        """Make an image with a layer of 700 MB, and one that has a megabyte more in it."""
        big, top = texts("srv/big", 350, 2_000_000, 3), texts("srv/top", 60, 4_000, 2)
        layers = {"base": self._base, "big": big, "top": top,
                  "big2": one_changed(big, 170, _with_a_megabyte)}  # fmt: skip
        tars = {
            name: write_layer(one, self._folder / f"{name}-l.tar") for name, one in layers.items()
        }
        first = self._built("benchbig", tars, "base", "big", "top")
        changed = self._built("benchbig", tars, "base", "big2", "top")
        return [
            Case("first", CASES["first"], first, None),
            Case("big", "1 MB changed in the big layer", changed, first),
        ]

    def _built(self, name: str, tars: Mapping[str, Path], *layers: str) -> Built:
        tag = "-".join(layers)
        return build(f"localhost/{name}:{tag}", tuple(tars[one] for one in layers), self._folder)


def _share(entries: Sequence[Entry], part: int) -> list[Entry]:
    """Keep every folder, and one of so many files, the same each time."""
    chance = random.Random(5)  # noqa: S311 -- no secret
    return [one for one in entries if not one[0].isreg() or chance.random() < 1 / part]


def _with_a_megabyte(text: bytes) -> bytes:
    return text[:500_000] + os.urandom(1_000_000) + text[500_000:]
