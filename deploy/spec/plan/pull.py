"""The values of the blanks of an app's updater, for an app that follows a tag of a registry."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.node.release import proof_of
from deploy.settings.model import PULL_LOGIN, Settings

# The updater, and the scripts of a deploy that it runs.
SCRIPTS = (
    "before-switch", "finish", "guard", "logs", "move", "prove-slot", "pull", "retire",
    "stage", "stage-again", "start", "undo",
)  # fmt: skip
_LATEST = "latest"


@dataclass(frozen=True, slots=True)
class PullFiles:
    """What an updater is made of: scripts by name, public keys as PEM, and the registry's root."""

    scripts: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: tuple[bytes, ...] = ()
    root: bytes = field(default=b"", repr=False)


def pull_values(settings: Settings, given: PullFiles) -> dict[str, str | tuple[str, ...]]:
    """Make the values of an app's updater; they are empty for an app that follows no tag."""
    follows = settings.follows
    return {
        "PULL": (settings.app,) if follows else (),
        "PULL_BORN": (settings.app,) if follows and _born(settings) else (),
        "PULL_EVERY": settings.pull_every,
        "PULL_SPREAD": f"{settings.pull_spread}s",
        "PULL_FILE": tuple(_files(settings, given)) if follows else (),
    }


def _files(settings: Settings, given: PullFiles) -> Iterator[str]:
    """Make an entry of a Butane file for each file of the updater."""
    folder = f"/etc/corefab/pull/{settings.app}"
    files = {f"{name}.sh": text.encode() for name, text in given.scripts.items()}
    files |= {f"keys/{number}.pub": key for number, key in enumerate(given.keys)}
    keys = [f"{folder}/keys/{number}.pub" for number in range(len(given.keys))]
    registry, _, rest = settings.pull.partition("/")
    repository, _, tag = rest.partition(":")
    name = f"{registry}/{repository}"
    files["settings.json"] = _json(_settings(settings, f"{name}:{tag or _LATEST}"))
    files["policy.json"] = _json(_policy(name, keys))
    attached = {"use-sigstore-attachments": True}
    files["registries.d/registry.yaml"] = _json({"docker": {registry: attached}})
    if given.root:
        files["trusted/root.crt"] = given.root
    for file, content in sorted(files.items()):
        packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
        source = f'{{source: "data:;base64,{packed}", compression: gzip}}'
        yield f"{{path: {folder}/{file}, mode: 0644, contents: {source}}}"


def _settings(settings: Settings, reference: str) -> dict[str, object]:
    return {
        "reference": reference,
        "http": settings.pull_http == "true",
        "login": PULL_LOGIN in {one.credential for one in settings.sources},
        "mode": settings.pull_mode,
        "delay_seconds": settings.pull_delay,
        "health_timeout_seconds": settings.health_timeout_seconds,
        "settle_seconds": settings.settle_seconds,
        "drain_seconds": settings.drain_seconds,
        "keep_releases": settings.keep_releases,
        "before_switch": list(settings.before_switch),
        "before_switch_seconds": settings.before_switch_seconds,
        "born": _born(settings),
        "proof": proof_of(settings).model_dump(mode="json"),
    }


def _born(settings: Settings) -> bool:
    """Tell whether a machine can be made with the app: it needs nothing that only we have."""
    return not (settings.sources or settings.has_key or settings.project_files)


def _policy(repository: str, keys: list[str]) -> dict[str, object]:
    """Accept what one of the keys has signed, of this repository alone."""
    signed = {
        "type": "sigstoreSigned",
        "keyPaths": keys,
        "signedIdentity": {"type": "matchRepository"},
    }
    return {"default": [{"type": "reject"}], "transports": {"docker": {repository: [signed]}}}


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
