"""User data for a cloud provider: the Ignition file itself, or a reference to it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from butane.translate.data_url import carried

# The Ignition version of such a reference.
_SPEC = "3.3.0"
_KEY_HEADER = b"PRIVATE KEY-----"


# How many bytes of user data a provider takes: Hetzner's and DigitalOcean's limits are in their API
# references; Vultr publishes none, 64 KiB is assumed.
LIMITS = {"vultr": 65_535, "hetzner": 32_768, "digitalocean": 65_536}
ASSUMED = {"vultr"}


def pointer(config: bytes, url: str) -> bytes:
    """Make a config that is replaced by the one at `url`, whose hash it checks."""
    digest = hashlib.sha512(config).hexdigest()
    replace = {"source": url, "verification": {"hash": f"sha512-{digest}"}}
    whole = {"ignition": {"version": _SPEC, "config": {"replace": replace}}}
    return json.dumps(whole, separators=(",", ":")).encode()


def secrets_in(config: bytes, values: Mapping[str, str]) -> tuple[str, ...]:
    """List what must not be in user data: private keys, and the values of the given secrets."""
    found = []
    for place, content in _contents(json.loads(config), "the Ignition file"):
        if _KEY_HEADER in content:
            found.append(f"a private key in {place}")
        found += [
            f"the value of {key} in {place}"
            for key, value in values.items()
            if value and value.encode() in content
        ]
    return tuple(dict.fromkeys(found))


def _contents(node: object, place: str) -> Iterator[tuple[str, bytes]]:
    """Yield every text of a config, and every file's decoded content, with its path or name."""
    if isinstance(node, Mapping):
        named = str(node.get("path") or node.get("name") or place)
        if isinstance(node.get("source"), str):
            yield named, _decoded(node)
        for value in node.values():
            yield from _contents(value, named)
    elif isinstance(node, list):
        for value in node:
            yield from _contents(value, place)
    elif isinstance(node, str):
        yield place, node.encode()


def _decoded(resource: Mapping[str, Any]) -> bytes:
    source = str(resource["source"])
    content = carried(source, str(resource.get("compression", "")))
    return unquote_to_bytes(source) if content is None else content
