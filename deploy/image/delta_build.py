"""Making a delta on the workstation: the layer, the image around it, what the node compares."""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock

from deploy.errors import DeployError
from deploy.image import program
from deploy.image.arriving import Arriving
from deploy.image.cache import Cache
from deploy.image.composite import composite
from deploy.image.content import Content, hex_of
from deploy.image.delta import Item, Mark, difference, read, write
from deploy.image.export import Export
from deploy.image.index import Index, Indexes, UnfitError
from deploy.image.pieces import Bytes, stored
from deploy.image.tree import Tree, flatten
from deploy.plan.image import Image

# Beyond this share of the image, a delta is no longer small.
_SHARE = 0.25
# What compresses to less is sent for itself: the node need not read its anchor then.
_SMALL, _TRIED = 32 << 10, 4 << 20
_LEVEL = 3


class TooLargeError(UnfitError):
    """So much changed that the image is better sent for itself."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """An image that the node has, on which a delta is put."""

    image_id: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta whose tar is in the cache, and the image that it makes of the anchor.

    `likes` are files of the anchor that its content resembles; one after another they are in the
    cache as `like`, which is empty where the delta is sent for itself.
    """

    content: Content
    diff_id: str
    size: int
    marks: tuple[Mark, ...]
    like: str
    likes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A layer for as long as somebody waits for what is in it."""

    tar: Bytes
    ended: Event

    def __len__(self) -> int:
        return len(self.tar)

    def __getitem__(self, part: slice) -> bytes:
        if self.ended.is_set():
            raise DeployError("nobody waits for it")
        return self.tar[part]


class Workshop:
    """Makes deltas of an image that is being read, each once for all nodes with the same anchor."""

    def __init__(self, export: Export) -> None:
        self.export = export
        self._alone = Lock()
        self._built: dict[Anchor, Delta] = {}
        self._known: dict[str, Index] = {}
        self._ended = Event()

    def build(self, anchor: Anchor) -> Delta:
        """Make the delta from an anchor to the image.

        Raises:
            UnfitError: when it holds what a delta cannot carry, or too much.
            DeployError: when a layer cannot be had.
        """
        with self._alone:
            if anchor not in self._built:
                self._built[anchor] = self._build(anchor)
            return self._built[anchor]

    def tree(self) -> Tree:
        """Lay the layers of the image over one another.

        Raises:
            UnfitError: when only a node could tell what that makes.
        """
        lists = self._lists(self.image.layers)
        return flatten(lists[diff_id] for diff_id in self.image.layers)

    def begin(self) -> None:
        """Learn what the image's layers hold, where a delta of it is likely: beside the login.

        That is where some of them are known: an image like this was sent from here before.
        """
        known = Indexes(self.cache.folder / "lists")
        likely = self.image.delta and any(map(known.has, self.image.layers))
        if likely and not self._ended.is_set():
            self.learn()

    def end(self) -> None:
        """Stop reading: nobody waits for it any more."""
        self._ended.set()
        self.export.stop()

    def learn(self) -> None:
        """Read what the image's layers hold, for the delta that is put on it next."""
        with self._alone, contextlib.suppress(DeployError):
            self._lists(self.image.layers)

    @property
    def image(self) -> Image:
        """The image."""
        return self.export.image

    @property
    def cache(self) -> Cache:
        """Where its layers are kept, and the lists of what they hold."""
        return self.export.cache

    def _build(self, anchor: Anchor) -> Delta:
        lists = self._lists(tuple(dict.fromkeys((*anchor.layers, *self.image.layers))))
        below = [lists[diff_id] for diff_id in anchor.layers]
        old, new = _both(below, [lists[diff_id] for diff_id in self.image.layers])
        items = self._with_likes_here(difference(old, new), old)
        content = self.export.whole(_layers(items) & set(self.image.layers))
        with self.cache.workplace() as place:
            file = place / "delta"
            with file.open("wb") as out:
                diff_id, marks = write(items, self._layer, out, old)
            size = file.stat().st_size
            if size > _SHARE * sum(layer.size for layer in content.layers):
                raise TooLargeError(
                    f"{size / 1e6:.0f} MB changed, more than a quarter of the image"
                )
            likes = () if self._is_small(file) else tuple(one.like for one in items if one.like)
            like = self._take_likes(likes, old, place) if likes else ""
            self.cache.take(diff_id, file)
        self.export.spare(diff_id, *([like] if like else []))
        made = composite(content, below, diff_id, size)
        return Delta(made, diff_id, size, marks, like, likes)

    def _lists(self, diff_ids: Sequence[str]) -> dict[str, Index]:
        """Read what layers hold; those of the image are exported where that is not known yet."""
        kept = Indexes(self.cache.folder / "lists")
        for diff_id in diff_ids:
            if diff_id not in self._known and (found := kept.find(diff_id)):
                self._known[diff_id] = found
        unknown = [diff_id for diff_id in diff_ids if diff_id not in self._known]
        wanted = {one for one in unknown if one in self.image.layers}
        if wanted:
            self.export.content(wanted)
        for diff_id in unknown:
            self._known[diff_id] = self._listed(diff_id, kept, whole=diff_id not in wanted)
        return self._known

    def _listed(self, diff_id: str, kept: Indexes, *, whole: bool) -> Index:
        """Read a layer; one that is still arriving is read again when that comes to nothing."""
        if whole:
            with stored(self._layer(diff_id)) as tar:
                return kept.make(diff_id, _Asked(tar, self._ended))
        try:
            with self.export.layer(diff_id) as tar:
                arriving = isinstance(tar, Arriving)
                return kept.make(diff_id, _Asked(tar, self._ended), proves_itself=arriving)
        except UnfitError:
            raise
        except (DeployError, FileNotFoundError):
            if self._ended.is_set():
                raise
            self.export.whole({diff_id})
            return self._listed(diff_id, kept, whole=True)

    def _layer(self, diff_id: str) -> Path:
        found = self.cache.layer(diff_id)
        if found is None:
            raise UnfitError(f"layer {hex_of(diff_id)[:12]} of the anchor is not known here")
        return found

    def _with_likes_here(self, items: Iterable[Item], old: Tree) -> tuple[Item, ...]:
        """Forget likes whose layers had to leave the cache."""
        return tuple(
            replace(one, like="")
            if one.like and not self.cache.holds(old.nodes[one.like].layer)
            else one
            for one in items
        )

    def _is_small(self, file: Path) -> bool:
        if file.stat().st_size > _TRIED:
            return False
        packed = file.with_suffix(".zst")
        program.compress(file.read_bytes(), packed, level=_LEVEL, like=None)
        return packed.stat().st_size <= _SMALL

    def _take_likes(self, likes: Iterable[str], old: Tree, place: Path) -> str:
        file = place / "likes"
        hashed = hashlib.sha256()
        with file.open("wb") as out:
            for path in likes:
                node = old.nodes[path]
                for part in read(self._layer(node.layer), node.entry):
                    hashed.update(part)
                    out.write(part)
        name = f"sha256:{hashed.hexdigest()}"
        self.cache.take(name, file)
        return name


def _both(old: Sequence[Index], new: Sequence[Index]) -> tuple[Tree, Tree]:
    """Lay two images flat; the layers that both begin with, once."""
    pairs = enumerate(zip(old, new, strict=False))
    count = next((at for at, (one, other) in pairs if one is not other), min(len(old), len(new)))
    shared = flatten(old[:count])
    return flatten(old[count:], shared), flatten(new[count:], shared)


def _layers(items: Iterable[Item]) -> set[str]:
    """Name the layers that the content of new files is in."""
    return {one.node.layer for one in items if one.node and one.node.entry.size and not one.link}


def listed(delta: Delta, anchor: Anchor) -> bytes:
    """Write the line that has a node put the likes one after another; nothing where there are none.

    Names end in a zero byte, and begin so that none is taken for an option.
    """
    if not delta.likes:
        return b""
    names = b"".join(f"./{one}\0".encode(errors="surrogateescape") for one in delta.likes)
    words = f"files {hex_of(anchor.image_id)} {hex_of(delta.like)} {len(names)}\n"
    return words.encode() + names
