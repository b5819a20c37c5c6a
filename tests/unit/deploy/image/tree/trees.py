"""Layers of any content, for Hypothesis: few names, so that layers meet in them."""

import io
import tarfile
from dataclasses import dataclass, field

from hypothesis import strategies as st

NAMES = st.sampled_from(
    ["a", "b", "c", "d", "ü", "-rf", "two words", "new\nline", "\udcff", "n" * 120, "$(x)"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TIMES = st.sampled_from(
    ["0", "1000000000", "1000000000.5", "1000000000.123456789", "1000000001.000000001", "-1.5"]
)
# What capabilities look like to the kernel, which takes no other bytes there.
CAPABLE = "\x01\x00\x00\x02\udcff" + "\x00" * 15
XATTRS = st.sampled_from(
    [{}, {"user.colour": "red"}, {"user.colour": "\udcffé"}, {"security.capability": CAPABLE}]
)
KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 4
    + [tarfile.DIRTYPE] * 3
    + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"whiteout", b"opaque"]
)
CONTENTS = st.sampled_from([b"", b"1", b"2", b"x" * 600, b"x" * 300 + b"y" * 300])


@dataclass(frozen=True)
class Wish:
    """An entry that a layer should have, if there is a place for it."""

    path: str
    kind: bytes
    mode: int
    owner: tuple[int, int]
    time: str
    xattrs: dict[str, str]
    content: bytes
    link: int
    whole: bool


WISHES = st.builds(
    Wish,
    PATHS,
    KINDS,
    st.sampled_from([0o644, 0o755, 0o1777, 0o4755, 0o600, 0o700]),
    st.sampled_from([(0, 0), (1000, 1000), (3_000_000_000, 5)]),
    TIMES,
    XATTRS,
    CONTENTS,
    st.integers(0, 9),
    st.booleans(),
)
LAYERS = st.lists(WISHES, max_size=12).map(lambda wishes: _Layer().packed(wishes))


@dataclass
class _Layer:
    """A layer as a builder might write it: nothing twice, nothing through a link."""

    held: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def packed(self, wishes: list[Wish]) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(
            fileobj=stream, mode="w", format=tarfile.PAX_FORMAT,
            encoding="utf-8", errors="surrogateescape",
        ) as tar:  # fmt: skip
            for wish in wishes:
                if self._has_place(wish.path):
                    self._add(tar, wish)
        return stream.getvalue()

    def _has_place(self, path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts) - 1)]
        return path not in self.held and all(
            one not in self.removed and (one not in self.held or self.held[one].isdir())
            for one in above
        )

    def _add(self, tar: tarfile.TarFile, wish: Wish) -> None:
        files = [path for path, one in self.held.items() if one.isreg()]
        if wish.kind == tarfile.LNKTYPE and not files:
            return
        if wish.path in self.removed and wish.kind in {tarfile.DIRTYPE, b"opaque", b"whiteout"}:
            return
        self._add_folders(tar, wish)
        folder, _, name = wish.path.rpartition("/")
        if wish.kind == b"whiteout":
            self.removed.add(wish.path)
            tar.addfile(tarfile.TarInfo(f"{folder}/.wh.{name}" if folder else f".wh.{name}"))
        elif wish.kind == b"opaque":
            self._put(tar, wish, wish.path, tarfile.DIRTYPE)
            tar.addfile(tarfile.TarInfo(f"{wish.path}/.wh..wh..opq"))
        elif wish.kind == tarfile.LNKTYPE:
            self._link(tar, wish.path, files[wish.link % len(files)])
        else:
            self._put(tar, wish, wish.path, wish.kind)

    def _add_folders(self, tar: tarfile.TarFile, wish: Wish) -> None:
        """Name the folders above, or leave it to the node to make them."""
        parts = wish.path.split("/")[:-1]
        for count in range(len(parts)):
            folder = "/".join(parts[: count + 1])
            if folder in self.held:
                continue
            if wish.whole:
                self._put(tar, wish, folder, tarfile.DIRTYPE)
            else:
                self.held[folder] = tarfile.TarInfo(folder)
                self.held[folder].type = tarfile.DIRTYPE

    def _put(self, tar: tarfile.TarFile, wish: Wish, path: str, kind: bytes) -> None:
        made = _described(path, kind, wish)
        content = wish.content if kind == tarfile.REGTYPE else b""
        made.size = len(content)
        made.linkname = "../a" if kind == tarfile.SYMTYPE else ""
        if kind == tarfile.CHRTYPE:
            made.devmajor, made.devminor = 1, 3
        self.held[path] = made
        tar.addfile(made, io.BytesIO(content))

    def _link(self, tar: tarfile.TarFile, path: str, target: str) -> None:
        held = self.held[target]
        made = tarfile.TarInfo(path)
        made.type, made.linkname, made.mode = tarfile.LNKTYPE, target, held.mode
        made.uid, made.gid, made.mtime = held.uid, held.gid, held.mtime
        made.pax_headers = dict(held.pax_headers)
        self.held[path] = made
        tar.addfile(made)


def _described(path: str, kind: bytes, wish: Wish) -> tarfile.TarInfo:
    made = tarfile.TarInfo(path)
    made.type, made.mode = kind, wish.mode
    made.uid, made.gid = wish.owner
    # Only files and folders can have attributes of users, only files capabilities.
    may = {tarfile.REGTYPE: ("user.", "security."), tarfile.DIRTYPE: ("user.",)}.get(kind, ())
    made.pax_headers = {
        f"SCHILY.xattr.{name}": value for name, value in wish.xattrs.items() if name.startswith(may)
    }
    made.pax_headers["mtime"] = wish.time
    return made
