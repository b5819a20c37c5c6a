"""The live system of a machine that is about to be installed: how to reach it, whether it is ours.

Its host key is not the installed system's, so it is pinned in a file of its own.
"""

from dataclasses import replace
from pathlib import Path

from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.host_key import read_host_key
from deploy.node.known_hosts import pin, pinned
from deploy.node.target import Target, resolve
from deploy.project import Project

LIVE_USER = "core"


def live_target(project: Project, host: str, *, fingerprint: str) -> Target:
    """Name the live system at `[user@]host[:port]`, its host key known and pinned.

    Raises:
        DeployError: when it shows another key than expected, or nobody can say.
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
    line, shown = read_host_key(real, real_number)
    known = pinned(target.known_hosts, real, real_number)
    if fingerprint and fingerprint != shown:
        raise DeployError(
            f"{address} shows {shown}, not {fingerprint}",
            "compare with the machine's console; somebody may be in between",
        )
    if not fingerprint and line not in {*known, *_known_media(project)}:
        _ask(address, shown)
    pin(target.known_hosts, real, real_number, (line,))
    return target


def medium_keys(project: Project) -> Path:
    """Name the file of the host keys that `fab iso` and `fab pxe` put into media, a line each."""
    return project.media / "host_keys.pub"


def _split_port(address: str) -> tuple[str, int | None]:
    name, colon, number = address.rpartition(":")
    if colon and ":" not in name and number.isdecimal():
        return name, int(number)
    return address, None


def _known_media(project: Project) -> tuple[str, ...]:
    path = medium_keys(project)
    return tuple(path.read_text(encoding="ascii").splitlines()) if path.exists() else ()


def _ask(host: str, shown: str) -> None:
    if not prompt.has_terminal():
        raise DeployError(
            f"{host} shows {shown}, and nobody is there to compare it",
            "give the fingerprint from the machine's console: --fingerprint SHA256:…; "
            "a medium made by `fab iso` or `fab pxe` is known by itself",
        )
    output.say(f"{host} shows the host key {shown}")
    if not prompt.confirm("Does the machine's console show the same fingerprint?"):
        raise DeployError("not installed", "find out who answers at that address")
