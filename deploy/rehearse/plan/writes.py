"""Decide in which folders a container may write: volumes, which stay, or folders in memory."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import basename, dirname

from deploy.rehearse.plan.observation import Observation, Written

# With a read-only root these are in memory already, and writable for every user.
_WRITABLE = ("/tmp", "/var/tmp", "/dev", "/proc", "/sys")  # noqa: S108 -- in the container
# In memory too, and only of its own user; nothing in it can be kept.
_RUN = "/run"
# corefab mounts something here; /data is kept.
_OURS = ("/data", "/etc/tls", "/srv/files", "/run/secrets", "/run/tls")
# podman adds the container's user to the first two.
_IGNORED = re.compile(r"^/etc/(passwd|group)$|/__pycache__(/|$)|\.pyc$")
# What need not outlive a restart, by its name.
_MEMORY = re.compile(
    r"(^|/)(\.[^/]+|cache|caches|tmp|temp|run|logs?|locks?|pids?)(/|$)"
    r"|\.(pid|log|sock|socket|lock)$|^/(etc|usr)/"
)
_FOLDER = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._@+-]+)+")
# Folders with more in them than one app's data: nothing is mounted over these.
_BROAD = {
    "/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/sbin", "/srv",
    "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/sbin", "/usr/share",
    "/var", "/var/lib",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writes:
    """What is written, the folders to mount, and what is written where none can be mounted."""

    paths: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def lines(self) -> dict[str, str]:
        """The settings for them."""
        found = {}
        if self.volumes:
            names = _names(self.volumes)
            pairs = zip(names, self.volumes, strict=True)
            found["VOLUMES"] = ", ".join(f"{name}:{folder}" for name, folder in pairs)
        if self.memory:
            found["CONTAINER_TMPFS"] = ", ".join(self.memory)
        return found


def writes_of(seen: Observation) -> Writes:
    """Decide it by what a container wrote where it could, and by the volumes of its image."""
    image = seen.image
    broad = _BROAD | _ancestors(image.workdir) | _ancestors(dirname(image.program))
    kept = {one.rstrip("/") or "/": True for one in image.volumes}
    elsewhere = []
    # A volume's own folder is made by podman.
    paths = tuple(one for one in _last(seen.written) if one.path not in kept)
    for one in paths:
        folder = _folder_of(one, seen.written)
        if _inside(folder, kept):
            continue
        if folder in broad or not _FOLDER.fullmatch(folder):
            elsewhere.append(one.path)
        else:
            kept[folder] = kept.get(folder, False) or not _MEMORY.search(one.path)
    found = _outermost({folder: stays for folder, stays in kept.items() if _may_mount(folder)})
    volumes = tuple(
        sorted(one for one, stays in found.items() if stays and not _inside(one, (_RUN,)))
    )
    memory = _together(found.keys() - set(volumes), broad | _above(volumes))
    return Writes(tuple(one.path for one in paths), volumes, memory, tuple(elsewhere))


def _last(written: Sequence[Written]) -> Iterator[Written]:
    """Yield what has nothing written below it; a folder above is only written with it."""
    above = _above([one.path for one in written])
    for one in written:
        if one.path in above or _IGNORED.search(one.path):
            continue
        # Such a folder changes when podman mounts something in it.
        podmans = one.path in {*_BROAD, _RUN} and not one.new
        if not podmans and not _inside(one.path, (*_WRITABLE, *_OURS)):
            yield one


def _folder_of(one: Written, written: Sequence[Written]) -> str:
    """Choose the outermost folder that is new, or else the folder that the image has."""
    new = {other.path for other in written if other.new and other.folder}
    if made := new & _ancestors(one.path):
        return min(made, key=len)
    return one.path if one.folder else dirname(one.path)


def _together(folders: set[str], too_much: set[str]) -> tuple[str, ...]:
    """Replace folders in memory by the one around them, where two are in it.

    It begins with the files of the image, so that nothing in it is hidden.
    """
    around = [dirname(one) for one in folders]
    several = {one for one in around if around.count(one) > 1 and one not in too_much}
    joined = {dirname(one) if dirname(one) in several else one for one in folders}
    return tuple(sorted(_outermost(dict.fromkeys(filter(_may_mount, joined), False))))


def _may_mount(folder: str) -> bool:
    around_ours = folder != _RUN and any(_inside(one, (folder,)) for one in _OURS)
    return bool(
        _FOLDER.fullmatch(folder) and not _inside(folder, (*_WRITABLE, *_OURS)) and not around_ours
    )


def _outermost(folders: dict[str, bool]) -> dict[str, bool]:
    """Leave out folders in others; what stays keeps the folder around it."""
    found: dict[str, bool] = {}
    for folder in sorted(folders, key=len):
        around = next((one for one in found if _inside(folder, (one,))), folder)
        found[around] = found.get(around, False) or folders[folder]
    return found


def _inside(path: str, folders: Sequence[str] | dict[str, bool]) -> bool:
    return any(f"{path}/".startswith(f"{one.rstrip('/')}/") for one in folders)


def _above(paths: Sequence[str]) -> set[str]:
    """List every folder that one of the paths is in."""
    return {parent for one in paths for parent in _ancestors(dirname(one))}


def _ancestors(path: str) -> set[str]:
    """List a path and every folder that it is in."""
    found = {"/"}
    while path not in {"", "/"}:
        found.add(path)
        path = dirname(path)
    return found


def _names(folders: Sequence[str]) -> list[str]:
    """Name each folder after its last part, or after more of it where two have the same."""
    last = [_name(basename(one)) for one in folders]
    whole = [_name(one.strip("/").replace("/", "-")) for one in folders]
    return [
        long if last.count(short) > 1 else short for short, long in zip(last, whole, strict=True)
    ]


def _name(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]", "-", text.lower()).lstrip("._-")[:60] or "volume"
