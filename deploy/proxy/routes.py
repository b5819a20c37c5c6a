"""Verbs: list the routes of a node's proxy; show a maintenance page instead of an app."""

from typing import Literal

from deploy.console import output
from deploy.node import session
from deploy.node.answer import OneLine, Value, read_answer
from deploy.node.command import Command
from deploy.node.journal import audit_line
from deploy.node.lock import acquire_lock
from deploy.project import Project

_COLUMNS = ("app", "names", "slot", "requests go to", "maintenance")


class Route(Value):
    """One app behind the proxy: its names, its serving slot, and where its requests go."""

    app: OneLine
    names: OneLine
    slot: Literal["", "blue", "green"]
    upstream: OneLine
    maintenance: Literal["yes", "no"]


def proxy_routes(project: Project, *, as_json: bool) -> None:
    """List every app behind the node's proxy.

    Raises:
        DeployError: when the node does not answer.
    """
    with session.open_session(project) as remote:
        answer = remote.checked(Command("routes"), "listing the routes")
    found = read_answer(tuple[Route, ...], answer, "the node's list of routes")
    if as_json:
        output.as_json({"routes": [one.model_dump() for one in found]})
        return
    rows = [(one.app, one.names, one.slot, one.upstream, one.maintenance) for one in found]
    output.table(f"routes of {project.settings.node_address}", _COLUMNS, rows)


def maintenance(project: Project, state: Literal["on", "off"]) -> None:
    """Have the proxy answer 503 for the app, but for its health path; or lead to the app again.

    Raises:
        DeployError: when the node has no route for the app.
    """
    settings = project.settings
    with session.open_session(project) as remote:
        acquire_lock(remote, project, "maintenance")
        line = audit_line(project, "maintenance", state).to_json()
        command = Command("maintenance", (settings.app, state, line))
        remote.checked(command, f"switching maintenance {state}")
    names = ", ".join(settings.cert_names)
    if state == "on":
        output.good(f"{names}: visitors see 503 until `fab maintenance off`")
    else:
        output.good(f"{names}: visitors reach {settings.app} again")
