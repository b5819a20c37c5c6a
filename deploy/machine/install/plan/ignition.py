"""Make the Ignition file of one machine: add its host key, or let a user log in."""

import base64
import json
from typing import Any

from deploy.errors import DeployError

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"


def with_host_key(config: bytes, private: bytes, public: str) -> bytes:
    """Add an SSH host key to a config.

    Only for a disk or a medium of the operator's own, never for a provider's user data.

    Raises:
        DeployError: when the config contains a host key already.
    """
    whole: dict[str, Any] = json.loads(config)
    storage = whole.setdefault("storage", {})
    files = storage.setdefault("files", [])
    if any(one.get("path") == HOST_KEY for one in files):
        raise DeployError(
            f"the machine spec contains {HOST_KEY}",
            "remove it from the overlay: each machine gets a key of its own",
        )
    files += [_file(HOST_KEY, 0o600, private), _file(f"{HOST_KEY}.pub", 0o644, public.encode())]
    return json.dumps(whole, separators=(",", ":")).encode()


def login(version: str, user: str, keys: tuple[str, ...]) -> bytes:
    """Make a config that only lets a user log in."""
    users = [{"name": user, "sshAuthorizedKeys": list(keys)}]
    return json.dumps({"ignition": {"version": version}, "passwd": {"users": users}}).encode()


def _file(path: str, mode: int, content: bytes) -> dict[str, Any]:
    source = f"data:;base64,{base64.b64encode(content).decode()}"
    return {"path": path, "mode": mode, "overwrite": True, "contents": {"source": source}}
