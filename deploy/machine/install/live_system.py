"""Reach the live system of a machine to be installed, and verify its host key.

The installed system gets another host key, so the live one is pinned in a file of its own.
"""

from pathlib import Path

from deploy.node.known_hosts import pin, pinned
from deploy.node.login import read_host_key
from deploy.node.target import Target, resolve
from deploy.node.trust import check_host_key
from deploy.options import host as parse_host
from deploy.project import Project

LIVE_USER = "core"
_HINT = "; the keys of media made by `fab iso` or `fab pxe` are known"


def live_target(project: Project, host: str, *, fingerprint: str) -> Target:
    """Make the target of the live system at `[user@]host[:port]`; verify and pin its host key.

    Raises:
        DeployError: when `host` is no address; when it shows another key than expected, or an
            unknown one without a terminal.
    """
    address, port, user = parse_host(host)
    target = Target(
        address,
        port,
        user or LIVE_USER,
        project.identity,
        project.media / "known_hosts",
    )
    real, real_number = resolve(target)
    line, shown = read_host_key(target)
    known = {*pinned(target.known_hosts, real, real_number), *_known_media(project)}
    if fingerprint or line not in known:
        check_host_key(address, shown, fingerprint, _HINT)
    pin(target.known_hosts, real, real_number, (line,))
    return target


def medium_keys(project: Project) -> Path:
    """The file of the host keys that `fab iso` and `fab pxe` put into media, one per line."""
    return project.media / "host_keys.pub"


def _known_media(project: Project) -> tuple[str, ...]:
    path = medium_keys(project)
    return tuple(path.read_text(encoding="ascii").splitlines()) if path.exists() else ()
