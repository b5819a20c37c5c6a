"""Verb: pin a node's host key after comparing its fingerprint with the machine's console."""

from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.known_hosts import pin
from deploy.node.login import read_host_key
from deploy.node.target import resolve
from deploy.project import Project


def trust(project: Project, *, fingerprint: str) -> None:
    """Pin the host key the node shows if it has `fingerprint`, or the operator confirms it.

    Raises:
        DeployError: when it is another key, or no one confirms it.
    """
    target = session.target(project)
    host, port = resolve(target)
    line, shown = read_host_key(target)
    if fingerprint and fingerprint != shown:
        raise DeployError(
            f"{host} shows {shown}, not {fingerprint}",
            "compare with the machine's console; another machine may answer at that address",
        )
    if not fingerprint:
        _ask(host, shown)
    pin(target.known_hosts, host, port, (line,))
    output.good(f"pinned {shown} for {host} in {project.settings.known_hosts}")


def _ask(host: str, shown: str) -> None:
    if not prompt.has_terminal():
        raise DeployError(
            f"{host} shows {shown}, and this is not a terminal to confirm it",
            "give the fingerprint from the machine's console: fab trust --fingerprint SHA256:…",
        )
    output.say(f"{host} shows the host key {shown}")
    if not prompt.confirm("Does the machine's console show the same fingerprint?"):
        raise DeployError("not pinned", "find out which machine answers at that address")
