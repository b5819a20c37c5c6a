"""User data for a cloud provider: the Ignition file itself, or a reference to it."""

import base64
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from butane.translate.data_url import carried

# The Ignition version of such a reference.
_SPEC = "3.3.0"
# What Ignition reads in a data URL as it stands.
_PLAIN = "-_.!~*'();/?:@&=+$,"
_WINDOW = 1 << 15
_KEY_HEADER = b"PRIVATE KEY-----"


# How many bytes of user data a provider takes: Hetzner's 32 KiB and DigitalOcean's 64 KiB are in
# their API references, at `user_data` of "create a server" and "create a droplet"; Vultr
# publishes none, 64 KiB is assumed.
LIMITS = {"vultr": 65_535, "hetzner": 32_768, "digitalocean": 65_536}
ASSUMED = {"vultr"}


def packed(config: bytes) -> bytes:
    """Make a shorter config that means the same: compressed, and each content in it once.

    Files that another one equals become hard links to it.
    """
    rest, disks = split_disks(config)
    whole = json.loads(rest)
    storage = whole.get("storage", {})
    if "files" in storage:
        files, links = _each_once(storage["files"])
        storage |= {"files": files, "links": [*storage.get("links", []), *links]}
    inner = gzip.compress(json.dumps(whole, separators=(",", ":")).encode(), mtime=0)
    source = f"data:;base64,{base64.b64encode(inner).decode()}"
    return _around({"source": source, "compression": "gzip"}, disks)


def without_apps(config: bytes, apps: Iterable[str]) -> bytes:
    """Leave out the files of these apps: a machine with PULL_NODE gets them in its bundle."""
    whole = json.loads(config)
    named = re.compile(rf"/({'|'.join(map(re.escape, apps))})(?=[-./])")
    files = whole["storage"]["files"]
    whole["storage"]["files"] = [one for one in files if not named.search(one["path"])]
    return json.dumps(whole, separators=(",", ":")).encode()


def pointer(config: bytes, url: str) -> bytes:
    """Make a config that has the one at `url` in it, whose hash it checks.

    What is to lie there is the first part of `split_disks`.
    """
    rest, disks = split_disks(config)
    digest = hashlib.sha512(rest).hexdigest()
    return _around({"source": url, "verification": {"hash": f"sha512-{digest}"}}, disks)


def split_disks(config: bytes) -> tuple[bytes, list[object]]:
    """Split the disks off a config: Terraform writes the device of a volume into user data.

    A config without disks stays as it is.
    """
    whole = json.loads(config)
    disks = whole.get("storage", {}).pop("disks", [])
    rest = json.dumps(whole, separators=(",", ":")).encode() if disks else config
    return rest, disks


def _around(inner: Mapping[str, object], disks: list[object]) -> bytes:
    more = {"storage": {"disks": disks}} if disks else {}
    whole = {"ignition": {"version": _SPEC, "config": {"merge": [inner]}}, **more}
    return json.dumps(whole, separators=(",", ":")).encode()


def _each_once(
    files: Iterable[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Split files into those with a content of their own, and links to these for the others."""
    first: dict[str, str] = {}
    own: list[Mapping[str, Any]] = []
    links: list[Mapping[str, Any]] = []
    for file in sorted(map(_unpacked, files), key=lambda one: one["path"].split("/")[::-1]):
        known = json.dumps({**file, "path": ""}, sort_keys=True)
        if file.get("append") or known not in first:
            first.setdefault(known, file["path"])
            own.append(file)
        else:
            links.append({"path": file["path"], "target": first[known], "hard": True})
    return _by_likeness(own), links


def _by_likeness(files: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Order files so that each is behind what it resembles: compression looks back 32 KiB.

    Those with the same suffix stay together, which keeps the search short.
    """
    ordered, before = [], b""
    for _, group in groupby(sorted(files, key=_suffix), key=_suffix):
        left = [(json.dumps(one).encode(), one) for one in group]
        while left:
            chosen = min(left, key=lambda one: _growth(one[0], before))
            left.remove(chosen)
            ordered.append(chosen[1])
            before = (before + chosen[0])[-_WINDOW:]
    return ordered


def _suffix(file: Mapping[str, Any]) -> str:
    return str(file["path"]).rpartition("/")[2].rpartition(".")[2]


def _growth(data: bytes, before: bytes) -> float:
    """Compute how much of data is left when it is compressed behind what comes before."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, zdict=before)
    return len(packer.compress(data) + packer.flush()) / len(data)


def _unpacked(file: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the content of a file as it is: compressed by itself, it takes more in the whole."""
    contents = file.get("contents") or {}
    source, compression = str(contents.get("source", "")), str(contents.get("compression", ""))
    content = carried(source, compression) if source.startswith("data:") else None
    if content is None or contents.keys() - {"source", "compression"}:
        return file
    return {**file, "contents": {"source": f"data:,{quote(content, safe=_PLAIN)}"}}


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
