"""The rules of Ignition for files, directories and links, and for storage as a whole."""

from butane.translate.finding import Place
from butane.translate.path_check import clean, join, path_problem
from butane.translate.record import Record

_SPECIAL_BITS_SINCE = 6
_TARGET_REQUIRED_SINCE = 3
_MOST_MODE = 0o7777
_NODES = {"directories": "directory", "files": "file", "links": "link"}


def check_directory(directory: Record, at: Place) -> None:
    """Check a directory."""
    check_link(directory, at)
    _check_mode(directory, at)


def check_file(file: Record, at: Place) -> None:
    """Check a file."""
    check_link(file, at)
    _check_mode(file, at)
    if file.is_true("overwrite") and not file.record("contents").has("source"):
        at.error("overwrite", message="overwrite must be false if source is unspecified")


def check_link(link: Record, at: Place) -> None:
    """Check a link's path; files and directories share this check."""
    at.error("path", message=path_problem(link.text("path")))


def _check_mode(node: Record, at: Place) -> None:
    mode = node.number("mode")
    if mode is None:
        return
    if not 0 <= mode <= _MOST_MODE:
        at.error("mode", message="illegal file mode")
    if at.spec < _SPECIAL_BITS_SINCE and mode & 0o7000:
        message = (
            "setuid/setgid/sticky bits are not supported or functional in spec versions"
            " older than 3.6.0"
        )
        at.warn("mode", message=message)


def check_owner(owner: Record, at: Place) -> None:
    """Check that an owner is given by number or by name."""
    if owner.has("id") and owner.text("name"):
        at.error(message="cannot set both id and name")


def check_storage(storage: Record, at: Place) -> None:
    """Check nodes against links, and filesystems against disks."""
    links = tuple(link.text("path") + "/" for link in storage.records("links"))
    for kind, name in _NODES.items():
        for index, node in enumerate(storage.records(kind)):
            for link in links:
                if node.text("path").startswith(link):
                    at.error(kind, index, message=f"{name} path includes link in config")
            if kind == "links":
                _check_target(node, storage, at.below("links", index))
    _check_filesystems(storage, at)


def _check_target(link: Record, storage: Record, at: Place) -> None:
    target = link.text("target")
    if not target and at.spec >= _TARGET_REQUIRED_SINCE:
        at.error("target", message="link target is required")
        return
    if not link.is_true("hard"):
        return
    place = clean(target) if target.startswith("/") else join(link.text("path"), target)
    for directory in storage.records("directories"):
        if place == directory.text("path"):
            at.error(message="hard link target is a directory")
    for owner in ("user", "group"):
        for name in ("id", "name"):
            if link.record(owner).has(name):
                at.warn(owner, name, message="user/group ignored for hard link")


def _check_filesystems(storage: Record, at: Place) -> None:
    disks = {disk.text("device"): disk for disk in storage.records("disks")}
    for index, filesystem in enumerate(storage.records("filesystems")):
        disk = disks.get(filesystem.text("device"))
        if disk is None:
            continue
        place = ("filesystems", index, "device")
        if disk.records("partitions"):
            at.warn(*place, message="filesystem overwrites partitioned device")
        elif disk.is_true("wipe_table") and not filesystem.is_true("wipe_filesystem"):
            message = "device matches disk with wipeTable enabled; filesystem will be wiped"
            at.warn(*place, message=message)
