"""Verb: pin a node's host key after comparing its fingerprint with the machine's console."""

from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.known_hosts import pin
from deploy.node.login import read_host_key
from deploy.node.target import known_as
from deploy.project import Project


def trust(project: Project, *, fingerprint: str) -> None:
    """Pin the host key the node shows if it has `fingerprint`, or the operator confirms it.

    Raises:
        DeployError: when it is another key, or no one confirms it.
    """
    target = session.target(project)
    host, port = known_as(target)
    line, shown = read_host_key(target)
    check_fingerprint(host, "host key", shown, fingerprint)
    pin(target.known_hosts, host, port, (line,))
    output.good(f"pinned {shown} for {host} in {project.settings.known_hosts}")


def check_fingerprint(
    host: str, kind: str, shown: str, fingerprint: str, *, hint: str = ""
) -> None:
    """Compare a key's fingerprint with the given one; without one, let the operator confirm it.

    `kind` names the key in messages.

    Raises:
        DeployError: when they differ, or no one confirms it; without a terminal also with `hint`.
    """
    if fingerprint:
        if fingerprint != shown:
            raise DeployError(
                f"{host} shows the {kind} {shown}, not {fingerprint}",
                "compare with the machine's console, which shows it above the login prompt; "
                "another machine, or a man in the middle, may answer at that address",
            )
        return
    if not prompt.has_terminal():
        raise DeployError(
            f"{host} shows the {kind} {shown}, and this is not a terminal to confirm it",
            f"give the fingerprint from the machine's console: --fingerprint SHA256:…{hint}",
        )
    output.say(f"{host} shows the {kind} {shown}")
    if not prompt.confirm("Does the machine's console show the same fingerprint?"):
        raise DeployError("not pinned", "find out which machine answers at that address")
