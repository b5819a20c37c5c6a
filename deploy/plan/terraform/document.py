"""What the documents of all providers have in common.

Zone and address are kept from being destroyed by mistake. A changed machine spec does not replace
a machine that runs: `fab deploy` carries what changes, `fab rebuild` or a new machine the rest.
"""

from dataclasses import dataclass
from typing import Any

TTL = 300
KEPT = {"prevent_destroy": True}
UNTOUCHED = {"ignore_changes": ["user_data"]}
USER_DATA = '${file("${path.module}/user-data.ign")}'

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CloudMachine:
    """A machine at a provider; `records` are names within the zone, "" for the zone itself."""

    hostname: str
    zone: str
    records: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name its resources."""
        return self.hostname.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A provider's part of the document; `token` is the argument that takes its API token."""

    name: str
    source: str
    version: str
    token: str
    variables: Json
    resources: Json
    address: str


def document(cloud: Cloud, machine: CloudMachine) -> Json:
    """Write main.tf.json."""
    secret = f"{cloud.name}_{cloud.token}"
    token = {"type": "string", "sensitive": True, "description": "the provider's API token"}
    domain = {"domain": text("the DNS zone", machine.zone)} if machine.zone else {}
    required = {cloud.name: {"source": cloud.source, "version": cloud.version}}
    return {
        "terraform": {"required_providers": required},
        "provider": {cloud.name: {cloud.token: f"${{var.{secret}}}"}},
        "variable": {secret: token, **cloud.variables, **domain},
        "resource": cloud.resources,
        "output": {"address": {"value": cloud.address}},
    }


def text(description: str, default: str | None = None) -> Json:
    """Declare a variable; without a default the operator has to give it."""
    made: Json = {"type": "string", "description": description}
    return made if default is None else made | {"default": default}


def named(record: str) -> str:
    """Name the resource of a DNS record."""
    plain = record.replace("*", "wildcard").replace(".", "-")
    return plain or "apex"


def records_of(names: tuple[str, ...], zone: str) -> tuple[str, ...]:
    """Pick the names that a zone has to answer for, as they are written in it."""
    inside = [name for name in names if name == zone or name.endswith(f".{zone}")]
    return tuple(dict.fromkeys(name.removesuffix(zone).rstrip(".") for name in inside))
