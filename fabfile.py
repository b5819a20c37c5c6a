"""corefab: containerised web apps on Fedora CoreOS machines over SSH.

A verb's module is imported when its task runs, so that `fab --list` need not load them all.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from deploy.task import commands, hosts, target, task

if TYPE_CHECKING:
    from deploy.settings.model import Settings

_FOLDER = Path(__file__).parent
_NAME = "the instance, as in .env.NAME"
_JSON = "write JSON, for programs"
_NODE = "the rehearsal node, PROJECT unless given"


def _settings(context: Context, name: str) -> "Settings":
    from deploy.settings.read import read_settings, with_node

    settings = read_settings(_FOLDER, name or None)
    given = target(context)
    return with_node(settings, *given) if given else settings


@task(
    help={
        "name": _NAME,
        "yes": "never ask",
        "butane": "compile by python, the real one, or auto: real where installed",
    }
)
def prepare(_: Context, *, name: str = "", yes: bool = False, butane: str = "python") -> None:
    """Make the machine spec: build/<app>.bu and build/<app>.ign."""
    from deploy.prepare import prepare as make
    from deploy.prepare import settings_or_ask

    make(_FOLDER, settings_or_ask(_FOLDER, name or None, may_ask=not yes), compiler=butane)


@task(help={"name": _NAME, "first": "the app's first release on this node"})
def deploy(context: Context, *, name: str = "", first: bool = False) -> None:
    """Bring the app on the node to what is wanted here, or leave what was there."""
    from deploy.rollout import rollout

    rollout(_FOLDER, _settings(context, name), first=first)


@task(
    help={
        "name": _NAME,
        "events": "write progress as JSON, a line each",
        "nodes": "user@host:port,…: to these at once, each layer read and compressed once",
    }
)
def image_send(context: Context, *, name: str = "", events: bool = False, nodes: str = "") -> None:
    """Bring IMAGE to the node, only what it lacks of it, and nothing else."""
    from deploy.image_send import image_send as send
    from deploy.settings.read import with_node

    settings = _settings(context, name)
    chosen = [with_node(settings, *one) for one in hosts(nodes)] or [settings]
    send(_FOLDER, chosen, events=events)


@task(help={"name": _NAME})
def prune(context: Context, *, name: str = "") -> None:
    """Remove images that no release needs, and what cut transfers left."""
    from deploy.prune import prune as remove

    remove(_FOLDER, _settings(context, name))


@task(help={"name": _NAME, "json": _JSON})
def status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health; exit code 1 when the app is not healthy."""
    from deploy.status import status as show

    return show(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "lines": "how many"})
def logs(context: Context, *, name: str = "", lines: str = "50") -> None:
    """Show the last lines that the app and its unit wrote."""
    from deploy.logs import logs as show

    show(_FOLDER, _settings(context, name), lines)


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_issue(context: Context, *, name: str = "", days: int = 90) -> None:
    """Issue a certificate for CERT_NAMES from the project's own authority."""
    from deploy.cert_issue import cert_issue as issue
    from deploy.node import asker

    issue(_FOLDER, _settings(context, name), days=days, ask=asker())


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_rotate_https(context: Context, *, name: str = "", days: int = 90) -> None:
    """Serve a new key and certificate, proven by a live handshake, undone if not."""
    from deploy.cert_rotate import cert_rotate_https as rotate
    from deploy.node import asker

    rotate(_FOLDER, _settings(context, name), days=days, ask=asker())


@task(help={"name": _NAME, "json": _JSON})
def cert_status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Compare the certificate here, on the node and as served; exit code 1 if they differ."""
    from deploy.cert_status import cert_status as show

    return show(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "fingerprint": "SHA256:…, from the machine's console"})
def trust(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's SSH host key, compared with the machine's console."""
    from deploy.trust import trust as pin

    pin(_FOLDER, _settings(context, name), fingerprint=fingerprint)


@task(help={"name": _NAME})
def sample_build(context: Context, *, name: str = "") -> None:
    """Build the sample app's image as IMAGE."""
    from container.sample.build import build
    from deploy import report

    settings = _settings(context, name)
    report.good(f"{settings.image} is {build(settings.image, on_step=report.say)}")


@task(help={"name": _NAME, "node": _NODE})
def node_up(context: Context, *, name: str = "", node: str = "") -> None:
    """Boot a rehearsal node from build/<app>.ign and pin its host key."""
    from deploy import rehearse

    rehearse.node_up(_FOLDER, _settings(context, name), name=node)


@task(help={"json": _JSON})
def node_status(_: Context, *, json: bool = False) -> None:
    """List the rehearsal nodes."""
    from deploy import rehearse

    rehearse.node_status(as_json=json)


@task(help={"name": _NAME, "node": _NODE})
def node_reboot(context: Context, *, name: str = "", node: str = "") -> None:
    """Restart a rehearsal node and wait until it is ready again."""
    from deploy import rehearse

    rehearse.node_reboot(_settings(context, name), name=node)


@task(help={"name": _NAME, "node": _NODE, "all": "every rehearsal node there is"})
def node_down(context: Context, *, name: str = "", node: str = "", all: bool = False) -> None:  # noqa: A002 -- the option is called --all
    """Remove a rehearsal node and all it has."""
    from deploy import rehearse

    if all:
        rehearse.node_down_all(_FOLDER)
    else:
        settings = _settings(context, name)
        rehearse.node_down(_FOLDER / settings.known_hosts, node or settings.project)


@task(
    positional=["fault"], help={"name": _NAME, "worker": "web or jobs", "fault": "hang, crash, …"}
)
def rehearse(context: Context, fault: str, *, name: str = "", worker: str = "jobs") -> None:
    """Make a worker of the sample app hang or crash, and watch it recover."""
    from deploy.rehearse_fault import rehearse_fault

    rehearse_fault(_FOLDER, _settings(context, name), fault=fault, worker=worker)


ns = commands(sys.modules[__name__])
