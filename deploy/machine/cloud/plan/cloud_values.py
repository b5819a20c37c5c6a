"""The values of the Terraform templates' blanks."""

from collections.abc import Mapping

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_APEX = "@"


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
