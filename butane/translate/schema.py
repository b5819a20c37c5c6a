"""The schema table: every field of the fcos variant, with the minor versions that have it."""

from butane.translate.record import Field, Struct, flag, integer, many, one, required, text, texts
from butane.translate.schema_ignition import IGNITION
from butane.translate.schema_storage import CEX, STORAGE, TANG

KERNEL_ARGUMENTS = Struct(
    "KernelArguments",
    texts("should_exist"),
    texts("should_not_exist"),
    shared=("should_exist", "should_not_exist"),
)
GROUP = Struct(
    "PasswdGroup",
    integer("gid"),
    required("name"),
    text("password_hash"),
    flag("should_exist", 2),
    flag("system"),
    key="name",
)
USER = Struct(
    "PasswdUser",
    text("gecos"),
    texts("groups"),
    text("home_dir"),
    required("name"),
    flag("no_create_home"),
    flag("no_log_init"),
    flag("no_user_group"),
    text("password_hash"),
    text("primary_group"),
    texts("ssh_authorized_keys"),
    texts("ssh_authorized_keys_local", 5, sugar=True),
    text("shell"),
    flag("should_exist", 2),
    flag("system"),
    integer("uid"),
    key="name",
)
PASSWD = Struct("Passwd", many("groups", GROUP), many("users", USER))
DROPIN = Struct(
    "Dropin",
    text("contents"),
    text("contents_local", 5, sugar=True),
    required("name"),
    key="name",
)
UNIT = Struct(
    "Unit",
    text("contents"),
    text("contents_local", 5, sugar=True),
    many("dropins", DROPIN),
    flag("enabled"),
    flag("mask"),
    required("name"),
    key="name",
)
QUADLET = Struct(
    "Quadlet",
    text("contents"),
    text("contents_local"),
    required("name"),
    Field("rootful", "boolean", plain=True),
    many("dropins", DROPIN),
)
SYSTEMD = Struct("Systemd", many("units", UNIT), many("quadlets", QUADLET, 8, sugar=True))
BOOT_LUKS = Struct(
    "BootDeviceLuks",
    one("cex", CEX, 6),
    flag("discard", 5),
    text("device", 6),
    many("tang", TANG),
    integer("threshold"),
    flag("tpm2"),
)
MIRROR = Struct("BootDeviceMirror", texts("devices"))
BOOT_DEVICE = Struct("BootDevice", text("layout"), one("luks", BOOT_LUKS), one("mirror", MIRROR))
GRUB_USER = Struct("GrubUser", required("name"), text("password_hash"))
GRUB = Struct("Grub", many("users", GRUB_USER))
CONFIG = Struct(
    "Config",
    Field("version", "text", plain=True, sugar=True),
    Field("variant", "text", plain=True, sugar=True),
    one("ignition", IGNITION),
    one("kernel_arguments", KERNEL_ARGUMENTS, 4),
    one("passwd", PASSWD),
    one("storage", STORAGE),
    one("systemd", SYSTEMD),
    one("boot_device", BOOT_DEVICE, 3, sugar=True),
    one("grub", GRUB, 5, sugar=True),
)
HEADER = Struct("Header", *CONFIG.fields[:2])
IGNITION_DOCUMENT = Struct("Ignition", *IGNITION.fields, required("version"))
DOCUMENT = Struct(
    "Config",
    one("ignition", IGNITION_DOCUMENT),
    *(each for each in CONFIG.fields if each.name != "ignition" and not each.sugar),
)
