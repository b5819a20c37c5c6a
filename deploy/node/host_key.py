"""SSH host keys as known_hosts has them, and their fingerprints."""

import base64
import hashlib

import paramiko

# The types that paramiko can check; ssh may know more.
KINDS = {"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521))}


def key_line(key: paramiko.PKey) -> str:
    """Write a host key as known_hosts has it: `ssh-ed25519 AAAA…`."""
    return f"{key.get_name()} {key.get_base64()}"


def fingerprint_of(line: str) -> str:
    """Compute the fingerprint of a host key given as `ssh-ed25519 AAAA…`."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
