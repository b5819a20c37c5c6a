"""The schema table: disks, filesystems, and what lies in them."""

from butane.translate.record import (
    Field,
    Record,
    Struct,
    flag,
    integer,
    many,
    one,
    required,
    text,
    texts,
)
from butane.translate.schema_ignition import RESOURCE


def _partition_key(item: Record) -> str:
    if number := item.number("number"):
        return f"number:{number}"
    label = item.optional("label")
    return "" if label is None else f"label:{label}"


OWNER = Struct("Owner", integer("id"), text("name"))
NODE = (one("group", OWNER), flag("overwrite"), required("path"), one("user", OWNER))
DIRECTORY = Struct("Directory", *NODE, integer("mode"), key="path")
FILE = Struct(
    "File",
    *NODE,
    many("append", RESOURCE),
    one("contents", RESOURCE),
    integer("mode"),
    key="path",
    appended=("append",),
)
LINK = Struct(
    "Link",
    *NODE,
    flag("hard"),
    required("target", until=3),
    text("target", 4),
    key="path",
)
PARTITION = Struct(
    "Partition",
    text("guid"),
    text("label"),
    Field("number", "integer", plain=True),
    flag("resize", 2),
    flag("should_exist"),
    integer("size_mib"),
    integer("start_mib"),
    text("type_guid"),
    flag("wipe_partition_entry"),
    key=_partition_key,
)
DISK = Struct(
    "Disk", required("device"), many("partitions", PARTITION), flag("wipe_table"), key="device"
)
FILESYSTEM = Struct(
    "Filesystem",
    required("device"),
    text("format"),
    text("label"),
    texts("mount_options", 1),
    texts("options"),
    text("path"),
    text("uuid"),
    flag("wipe_filesystem"),
    flag("with_mount_unit", 1, sugar=True),
    key="device",
    appended=("options", "mount_options"),
)
TANG = Struct(
    "Tang",
    text("advertisement", 5),
    text("thumbprint"),
    Field("url", "text", plain=True),
    key="url",
)
CUSTOM = Struct("Custom", required("config"), flag("needs_network"), required("pin"))
CLEVIS_CUSTOM = Struct("ClevisCustom", text("config"), flag("needs_network"), text("pin"))
CLEVIS = Struct(
    "Clevis",
    Field("custom", CUSTOM, until=3),
    one("custom", CLEVIS_CUSTOM, 4),
    many("tang", TANG),
    integer("threshold"),
    flag("tpm2"),
)
CEX = Struct("Cex", flag("enabled"))
LUKS = Struct(
    "Luks",
    one("cex", CEX, 6),
    Field("clevis", CLEVIS, until=3),
    one("clevis", CLEVIS, 4),
    text("device"),
    flag("discard", 5),
    one("key_file", RESOURCE),
    text("label"),
    required("name"),
    texts("open_options", 5),
    texts("options"),
    text("uuid"),
    flag("wipe_volume"),
    key="name",
    appended=("options",),
)
RAID = Struct(
    "Raid",
    texts("devices"),
    required("level", until=3),
    text("level", 4),
    required("name"),
    texts("options"),
    integer("spares"),
    key="name",
    appended=("options",),
)
TREE = Struct(
    "Tree",
    one("group", OWNER, 7),
    Field("local", "text", plain=True),
    text("path"),
    one("user", OWNER, 7),
    integer("file_mode", 7),
    integer("dir_mode", 7),
)
STORAGE = Struct(
    "Storage",
    many("directories", DIRECTORY),
    many("disks", DISK),
    many("files", FILE),
    many("filesystems", FILESYSTEM),
    many("links", LINK),
    many("luks", LUKS, 2),
    many("raid", RAID),
    many("trees", TREE, 1, sugar=True),
    shared=("directories", "files", "links"),
)
