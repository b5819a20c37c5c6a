"""Verb: show the state of an app on its node."""

from datetime import UTC, datetime

from deploy.app.health import visit
from deploy.app.look import looking
from deploy.app.telling import where
from deploy.app.workers import ask_workers
from deploy.console import output
from deploy.console.size import size
from deploy.errors import DeployError
from deploy.image.plan.image import short
from deploy.node import session
from deploy.node.holdings import not_decrypted
from deploy.node.login import Login
from deploy.node.release import proof_of
from deploy.node.remote import Remote
from deploy.node.state import NodeState, probe
from deploy.notify.plan import events
from deploy.notify.tell import tell
from deploy.page.remote import PageRemote
from deploy.project import Project

HEALTHY = "healthy"
_UNHEALTHY = 1


def status(
    project: Project, *, as_json: bool, login: Login | None = None, through: Project | None = None
) -> int:
    """Show release, unit and health; return 1 when the app is not healthy, or may not be.

    `through` is the instance that the node was pinned for, where it is another one.
    """
    settings = project.settings
    names = {source.credential: None for source in settings.sources}
    with looking(through or project, login) as remote:
        state = probe(remote, settings.app, credentials=names)
        workers = ask_workers(remote, settings.app)
        trouble, told = remote.trouble, _told(remote)
    health = health_of(project, state)
    _tell_health(project, state, health)
    facts = _facts(project, state) | {
        "workers": workers.model_dump() if workers else None,
        **told,
        "health": health,
    }
    if as_json:
        output.as_json(facts)
    else:
        facts["storage_free"] = size(state.disks["storage"].free)
        del facts["storage_free_bytes"]
        if isinstance(memory := facts.pop("memory_available_bytes", None), int):
            facts["memory_available"] = size(memory)
        rows = [(name.replace("_", " "), _text(value)) for name, value in facts.items()]
        output.table(settings.app, ("", ""), rows)
    for name, found in state.credentials.items():
        if found == "unreadable":
            output.warn(not_decrypted(settings.app, name))
    return 0 if health == HEALTHY and not trouble else _UNHEALTHY


def _told(remote: Remote) -> dict[str, object]:
    """Say what a status page tells beyond the answers of scripts."""
    if not isinstance(remote, PageRemote):
        return {}
    page = remote.page
    return {
        "page_made": datetime.fromtimestamp(page.at, UTC).isoformat(),
        "failed_units": ", ".join(page.failed_units) or None,
        "memory_available_bytes": page.memory_available_bytes,
    }


def health_of(project: Project, state: NodeState) -> str:
    """Visit the app as the serving release is checked; say HEALTHY, or what is wrong."""
    if state.manifest is None:
        return "nothing deployed"
    proof = state.manifest.proof or proof_of(project.settings)
    try:
        endpoints = session.endpoints(project, proof)
    except DeployError as error:
        return error.message
    found = visit(endpoints, proof.path, state.manifest.certificate)
    for line in found.unreached:
        output.warn(line)
    return found.problem or HEALTHY


def _tell_health(project: Project, state: NodeState, health: str) -> None:
    if state.manifest is None:
        return
    at = where(project.settings)
    well = health == HEALTHY
    tell(project, events.healthy(at) if well else events.unhealthy(at, health))


def _facts(project: Project, state: NodeState) -> dict[str, object]:
    settings = project.settings
    manifest, commit = state.manifest, None
    if manifest:
        commit = manifest.commit[:12] + (" (dirty)" if manifest.dirty else "")
    return {
        "app": settings.app,
        "node": settings.node_address,
        "endpoint": str(session.endpoint(project, manifest.proof if manifest else None)),
        "release": state.release or None,
        "image": f"{manifest.image} {short(manifest.image_id)}" if manifest else None,
        "commit": commit,
        "deployed_by": manifest.by if manifest else None,
        "unit": _unit(settings.app, state),
        "restarts": state.restarts,
        "credentials": dict(sorted(state.credentials.items())),
        "slot": state.slot or None,
        "front_door": state.door,
        "leftover_slot": state.leftover or None,
        "firewall": state.firewall,
        "unfinished_deploy": state.interrupted.release if state.interrupted else None,
        "os": state.os,
        "staged_update": state.staged_update or None,
        "os_update": state.os_update or None,
        "podman": state.podman,
        "skopeo": state.skopeo,
        "systemd": state.systemd,
        "storage_free_bytes": state.disks["storage"].free,
    }


def _unit(app: str, state: NodeState) -> str:
    text = f"{app}-{state.slot or 'blue'}.service {state.active} ({state.sub_state})"
    if state.since and state.active == "active":
        text += f" since {state.since}"
    if state.result not in {"", "success"} or state.active == "activating":
        text += f", last run: {state.result}, exit code {state.exit_status}"
    return f"{text}, says: {state.status_text}" if state.status_text else text


def _text(value: object) -> str:
    if isinstance(value, dict) and "workers" in value:
        return ", ".join(_worker_text(worker) for worker in value["workers"])
    if isinstance(value, dict):
        return ", ".join(f"{name} {word}" for name, word in value.items())
    return "-" if value is None else str(value)


def _worker_text(worker: dict[str, object]) -> str:
    text = f"{worker['name']} {worker['state']}"
    if worker["restarts"]:
        text += f", restarted {worker['restarts']} times"
    reasons = worker["reasons"]
    return f"{text} ({reasons[-1]})" if isinstance(reasons, tuple) and reasons else text
