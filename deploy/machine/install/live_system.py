"""Reach the live system of a machine to be installed, and verify its host key.

The installed system gets another host key, so the live one is pinned in a file of its own.
"""

from dataclasses import replace
from pathlib import Path

from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.known_hosts import pin, pinned
from deploy.node.login import read_host_key
from deploy.node.target import Target, resolve
from deploy.project import Project

LIVE_USER = "core"


def live_target(project: Project, host: str, *, fingerprint: str) -> Target:
    """Make the target of the live system at `[user@]host[:port]`; verify and pin its host key.

    Raises:
        DeployError: when it shows another key than expected, or an unknown one without a terminal.
    """
    user, _, address = host.rpartition("@")
    address, port = _split_port(address)
    target = replace(
        session.target(
            Project(project.folder, project.settings.model_copy(update={"node_address": address}))
        ),
        port=port,
        user=user or LIVE_USER,
        known_hosts=project.media / "known_hosts",
    )
    real, real_number = resolve(target)
    line, shown = read_host_key(target)
    known = pinned(target.known_hosts, real, real_number)
    if fingerprint and fingerprint != shown:
        raise DeployError(
            f"{address} shows the host key {shown}, not {fingerprint}",
            "compare with the machine's console; the difference may be a man in the middle",
        )
    if not fingerprint and line not in {*known, *_known_media(project)}:
        _confirm(address, shown)
    pin(target.known_hosts, real, real_number, (line,))
    return target


def medium_keys(project: Project) -> Path:
    """The file of the host keys that `fab iso` and `fab pxe` put into media, one per line."""
    return project.media / "host_keys.pub"


def _split_port(address: str) -> tuple[str, int | None]:
    name, colon, number = address.rpartition(":")
    if colon and ":" not in name and number.isdecimal():
        return name, int(number)
    return address, None


def _known_media(project: Project) -> tuple[str, ...]:
    path = medium_keys(project)
    return tuple(path.read_text(encoding="ascii").splitlines()) if path.exists() else ()


def _confirm(host: str, shown: str) -> None:
    if not prompt.has_terminal():
        raise DeployError(
            f"{host} shows the unknown host key {shown}, and this is not a terminal",
            "give the fingerprint from the machine's console: --fingerprint SHA256:…; "
            "the keys of media made by `fab iso` or `fab pxe` are known",
        )
    output.say(f"{host} shows the host key {shown}")
    if not prompt.confirm("Does the machine's console show the same fingerprint?"):
        raise DeployError("not installed", "find out which system answers at that address")
