"""Ask a node which host key it shows, without logging in."""

import socket

import paramiko

from deploy.errors import DeployError

_PATIENCE_SECONDS = 10
_SSH_PORT = 22


def shown_key(host: str, port: int | None) -> tuple[str, str]:
    """Read a node's host key: the line `ssh-ed25519 AAAA…`, and its fingerprint SHA256:….

    Raises:
        DeployError: when no SSH server answers there.
    """
    try:
        plain = socket.create_connection((host, port or _SSH_PORT), timeout=_PATIENCE_SECONDS)
    except OSError as error:
        raise _silent(host, error) from error
    transport = paramiko.Transport(plain)
    try:
        transport.start_client(timeout=_PATIENCE_SECONDS)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _silent(host, error) from error
    finally:
        transport.close()
    return f"{key.get_name()} {key.get_base64()}", str(key.fingerprint)


def _silent(host: str, error: Exception) -> DeployError:
    return DeployError(
        f"no SSH server answers at {host}: {str(error) or type(error).__name__}",
        "is the machine up, and NODE_ADDRESS and NODE_PORT right?",
    )
