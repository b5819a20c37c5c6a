"""Read the SSH host key that a node shows; compute fingerprints."""

import base64
import socket

import paramiko

from deploy.errors import DeployError

_PATIENCE_SECONDS = 10


def read_host_key(host: str, port: int) -> tuple[str, str]:
    """Read a node's host key without logging in: `ssh-ed25519 AAAA…` and its fingerprint.

    Raises:
        DeployError: when no SSH server answers there.
    """
    try:
        link = socket.create_connection((host, port), timeout=_PATIENCE_SECONDS)
    except OSError as error:
        raise _no_server(host, error) from error
    transport = paramiko.Transport(link)
    try:
        transport.start_client(timeout=_PATIENCE_SECONDS)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _no_server(host, error) from error
    finally:
        transport.close()
    return key_line(key), key.fingerprint


def key_line(key: paramiko.PKey) -> str:
    """Write a host key as known_hosts has it: `ssh-ed25519 AAAA…`."""
    return f"{key.get_name()} {key.get_base64()}"


def fingerprint_of(line: str) -> str:
    """Compute the fingerprint of a host key given as `ssh-ed25519 AAAA…`."""
    name, blob = line.split()[:2]
    return paramiko.PKey.from_type_string(name, base64.b64decode(blob)).fingerprint


def _no_server(host: str, error: Exception) -> DeployError:
    return DeployError(
        f"no SSH server answers at {host}: {str(error) or type(error).__name__}",
        "is the machine up, and are NODE_ADDRESS and NODE_PORT right?",
    )
