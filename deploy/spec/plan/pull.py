"""The values of the blanks of an app's updater, for an app that follows a tag of a registry."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.node.release import proof_of
from deploy.settings.model import PULL_LOGIN, Settings

# The folder of the updater of a node's bundle; those of apps have names with a hyphen.
NODE_FOLDER = "/etc/corefab/pull/node"
_LATEST = "latest"
_PINNED = "@"
_NOW = "now"


@dataclass(frozen=True, slots=True)
class PullFiles:
    """What an updater is made of: its scripts' files, public keys as PEM, the registry's root."""

    scripts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    keys: tuple[bytes, ...] = ()
    root: bytes = field(default=b"", repr=False)


def pull_values(settings: Settings, given: PullFiles) -> dict[str, str | tuple[str, ...]]:
    """Make the values of an app's updater; they are empty for an app that follows no tag."""
    follows = settings.follows
    return {
        "PULL": (settings.app,) if follows else (),
        "PULL_BORN": (settings.app,) if settings.born else (),
        "PULL_EVERY": settings.pull_every,
        "PULL_SPREAD": f"{settings.pull_spread}s",
        "PULL_FILE": tuple(_files(settings, given)) if follows else (),
    }


def bundle_values(settings: Settings, given: PullFiles) -> dict[str, str | tuple[str, ...]]:
    """Make the values of the updater of a node's bundle; they are empty without PULL_NODE."""
    follows = settings.follows_bundle
    own: dict[str, object] = {}
    if follows:
        own = {
            "reference": node_bundle(settings),
            "node": settings.pull_node,
            "user": settings.node_user,
            "app": settings.app,
            "http": settings.pull_http == "true",
            "login": _has_login(settings),
        }
    return {
        "BUNDLE": ("yes",) if follows else (),
        "BUNDLE_EVERY": settings.pull_every,
        "BUNDLE_SPREAD": f"{settings.pull_spread}s",
        "BUNDLE_FILE": tuple(_entries(NODE_FOLDER, own, given)) if follows else (),
    }


def node_bundle(settings: Settings) -> str:
    """Name the tag of the node's bundle, beside the repository of PULL."""
    beside = repository_of(settings.pull).rpartition("/")[0]
    return f"{beside}/nodes/{settings.pull_node}:{_NOW}"


def _files(settings: Settings, given: PullFiles) -> Iterator[str]:
    reference = _reference(settings.pull)
    own = _settings(settings, reference)
    yield from _entries(f"/etc/corefab/pull/{settings.app}", own, given)


def _entries(folder: str, own: Mapping[str, object], given: PullFiles) -> Iterator[str]:
    """Make an entry of a Butane file for each file of an updater; `own` are its settings."""
    files = dict(given.scripts)
    files |= {f"keys/{number}.pub": key for number, key in enumerate(given.keys)}
    keys = [f"{folder}/keys/{number}.pub" for number in range(len(given.keys))]
    reference = str(own["reference"])
    name, registry = repository_of(reference), reference.partition("/")[0]
    files["settings.json"] = _json(own)
    files["policy.json"] = _json(_policy(name, keys, pinned=_PINNED in reference))
    attached = {"use-sigstore-attachments": True}
    files["registries.d/registry.yaml"] = _json({"docker": {registry: attached}})
    if given.root:
        files["trusted/root.crt"] = given.root
    for file, content in sorted(files.items()):
        yield _entry(f"{folder}/{file}", content)


def status_values(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Make the values of a machine's own key and status page; empty without these files."""
    return _carried("status", files, flag="NODE_KEY", entry="STATUS_FILE")


def metrics_values(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Make the values of what writes a machine's metrics; empty without these files."""
    return _carried("metrics", files, flag="METRICS", entry="METRICS_FILE")


def otlp_values(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Make the values of what sends journal and metrics; empty without these files."""
    return _carried("otlp", files, flag="OTLP", entry="OTLP_FILE")


def notice_values(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Make the values of what sends a machine's notifications; empty without these files."""
    return _carried("notify", files, flag="NOTICES", entry="NOTICE_FILE")


def os_health_values(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Make the values of what decides whether an update stays; empty without these files."""
    return _carried("os-health", files, flag="OS_HEALTH", entry="OS_HEALTH_FILE")


def _carried(
    folder: str, files: Mapping[str, bytes], *, flag: str, entry: str
) -> dict[str, tuple[str, ...]]:
    """Make an entry of a Butane file for each file of a folder below /etc/corefab."""
    entries = (_entry(f"/etc/corefab/{folder}/{name}", files[name]) for name in sorted(files))
    return {flag: ("yes",) if files else (), entry: tuple(entries)}


def _entry(path: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    source = f'{{source: "data:;base64,{packed}", compression: gzip}}'
    return f"{{path: {path}, mode: 0644, contents: {source}}}"


def _settings(settings: Settings, reference: str) -> dict[str, object]:
    return {
        "reference": reference,
        "http": settings.pull_http == "true",
        "login": _has_login(settings),
        "mode": settings.pull_mode,
        "delay_seconds": settings.pull_delay,
        "health_timeout_seconds": settings.health_timeout_seconds,
        "settle_seconds": settings.settle_seconds,
        "drain_seconds": settings.drain_seconds,
        "keep_releases": settings.keep_releases,
        "before_switch": list(settings.before_switch),
        "before_switch_seconds": settings.before_switch_seconds,
        "born": settings.born,
        **({"credentials": list(settings.bundled)} if settings.bundled else {}),
        "proof": proof_of(settings).model_dump(mode="json"),
    }


def _has_login(settings: Settings) -> bool:
    return PULL_LOGIN in {one.credential for one in settings.sources}


def repository_of(reference: str) -> str:
    """Give the repository of an image, with its registry, without its tag or digest."""
    registry, _, rest = reference.partition(_PINNED)[0].partition("/")
    return f"{registry}/{rest.partition(':')[0]}"


def _reference(image: str) -> str:
    """Write an image as the updater wants it: a repository with its digest, or else its tag."""
    name, registry = repository_of(image), image.partition("/")[0]
    if _PINNED in image:
        return f"{name}@{image.partition(_PINNED)[2]}"
    return f"{name}:{image.removeprefix(registry).partition(':')[2] or _LATEST}"


def _policy(repository: str, keys: list[str], *, pinned: bool) -> dict[str, object]:
    """Accept what one of the keys has signed, of this repository alone.

    An image by its digest needs no signature: who gave the digest knows what it is.
    """
    signed = {
        "type": "sigstoreSigned",
        "keyPaths": keys,
        "signedIdentity": {"type": "matchRepository"},
    }
    accepted = {"type": "insecureAcceptAnything"} if pinned else signed
    return {"default": [{"type": "reject"}], "transports": {"docker": {repository: [accepted]}}}


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
