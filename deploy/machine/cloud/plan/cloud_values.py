"""The values of the Terraform templates' blanks."""

from collections.abc import Mapping

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_APEX = "@"
# DATA_DISK for the provider's volume, whose own name is not known when the machine spec is made.
VOLUME = "/dev/disk/by-id/corefab-volume"
# Where a machine finds it, as an expression of Terraform. Vultr attaches a volume to a machine that
# is there already, so its name cannot be in the machine's user data: it is the second disk.
_DEVICES = {
    "vultr": '"/dev/vdb"',
    "hetzner": "hcloud_volume.{label}.linux_device",
    "digitalocean": '"/dev/disk/by-id/scsi-0DO_Volume_{label}"',
}
_USER_DATA = 'file("${path.module}/user-data.ign")'


def cloud_values(
    hostname: str, zone: str, names: tuple[str, ...]
) -> Mapping[str, str | tuple[str, ...]]:
    """Give every blank its value; `names` are those of the certificate, `zone` may be empty."""
    return {
        "HOSTNAME": hcl_text(hostname),
        "LABEL": _label(hostname),
        "DOMAIN": hcl_text(zone),
        "RECORD": tuple(hcl_text(one) for one in records_of(names, zone)),
    }


def user_data_value(provider: str, hostname: str, *, volume: bool) -> str:
    """Make the expression for a machine's user data, with the device of its volume, if any."""
    if not volume:
        return _USER_DATA
    device = _DEVICES[provider].format(label=_label(hostname))
    return f'replace({_USER_DATA}, "{VOLUME}", {device})'


def records_of(names: tuple[str, ...], zone: str) -> tuple[str, ...]:
    """Pick the names that lie in a zone, relative to it."""
    inside = [name for name in names if zone and (name == zone or name.endswith(f".{zone}"))]
    return tuple(dict.fromkeys(name.removesuffix(zone).rstrip(".") or _APEX for name in inside))


def hcl_text(text: str) -> str:
    """Escape a text for a quoted string of a Terraform file."""
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return escaped.replace("${", "$${").replace("%{", "%%{")


def _label(hostname: str) -> str:
    """Make the name of the machine's resources, which must begin with a letter."""
    label = hostname.partition(".")[0]
    return label if label[0].isalpha() else f"machine-{label}"
