"""corefab: containerised web apps on Fedora CoreOS machines over SSH."""

import sys
from pathlib import Path

from invoke.context import Context

from container.sample.build import build
from deploy import rehearse, report
from deploy.cert_issue import cert_issue as issue_certificate
from deploy.cert_rotate import cert_rotate_https as rotate_https
from deploy.cert_status import cert_status as show_certificates
from deploy.logs import logs as show_logs
from deploy.node import asker
from deploy.prepare import prepare as make_spec
from deploy.prepare import settings_or_ask
from deploy.rollout import rollout
from deploy.settings.model import Settings
from deploy.settings.read import read_settings, with_node
from deploy.status import status as show_status
from deploy.task import commands, target, task
from deploy.trust import trust as pin_host_key

_FOLDER = Path(__file__).parent
_NAME = "the instance, as in .env.NAME"
_JSON = "write JSON, for programs"
_NODE = "the rehearsal node, PROJECT unless given"


def _settings(context: Context, name: str) -> Settings:
    settings = read_settings(_FOLDER, name or None)
    given = target(context)
    return with_node(settings, *given) if given else settings


@task(help={"name": _NAME, "yes": "never ask", "butane": "auto, python or real"})
def prepare(_: Context, *, name: str = "", yes: bool = False, butane: str = "auto") -> None:
    """Make the machine spec: build/<app>.bu and build/<app>.ign."""
    make_spec(_FOLDER, settings_or_ask(_FOLDER, name or None, may_ask=not yes), compiler=butane)


@task(help={"name": _NAME, "first": "the app's first release on this node"})
def deploy(context: Context, *, name: str = "", first: bool = False) -> None:
    """Bring the app on the node to what is wanted here, or leave what was there."""
    rollout(_FOLDER, _settings(context, name), first=first)


@task(help={"name": _NAME, "json": _JSON})
def status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health of the app; exit code 1 when it is not healthy."""
    return show_status(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "lines": "how many"})
def logs(context: Context, *, name: str = "", lines: int = 50) -> None:
    """Show the last lines that the app and its unit wrote."""
    show_logs(_FOLDER, _settings(context, name), lines)


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_issue(_: Context, *, name: str = "", days: int = 90) -> None:
    """Issue a certificate for CERT_NAMES from the project's own authority."""
    issue_certificate(_FOLDER, read_settings(_FOLDER, name or None), days=days, ask=asker())


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_rotate_https(context: Context, *, name: str = "", days: int = 90) -> None:
    """Serve a new key and certificate, proven by a live handshake, undone if not."""
    rotate_https(_FOLDER, _settings(context, name), days=days, ask=asker())


@task(help={"name": _NAME, "json": _JSON})
def cert_status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Compare the certificate here, on the node and as served; exit code 1 on disagreement."""
    return show_certificates(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "fingerprint": "SHA256:…, from the machine's console"})
def trust(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's SSH host key, compared with the machine's console."""
    pin_host_key(_FOLDER, _settings(context, name), fingerprint=fingerprint)


@task(help={"name": _NAME})
def sample_build(_: Context, *, name: str = "") -> None:
    """Build the sample app's image as IMAGE."""
    settings = read_settings(_FOLDER, name or None)
    built = build(settings.image, on_step=report.say)
    report.good(f"{settings.image} is {built}")


@task(help={"name": _NAME, "node": _NODE})
def node_up(_: Context, *, name: str = "", node: str = "") -> None:
    """Boot a rehearsal node from build/<app>.ign and pin its host key."""
    rehearse.node_up(_FOLDER, read_settings(_FOLDER, name or None), name=node)


@task(help={"name": _NAME, "node": _NODE, "all": "every rehearsal node there is"})
def node_down(_: Context, *, name: str = "", node: str = "", all: bool = False) -> None:  # noqa: A002 -- the option is called --all
    """Remove a rehearsal node and all it has."""
    known_hosts = _FOLDER / Settings.model_fields["known_hosts"].default
    if all:
        rehearse.node_down_all(known_hosts)
        return
    settings = read_settings(_FOLDER, name or None)
    rehearse.node_down(_FOLDER / settings.known_hosts, node or settings.project)


@task(help={"json": _JSON})
def node_status(_: Context, *, json: bool = False) -> None:
    """List the rehearsal nodes."""
    rehearse.node_status(as_json=json)


@task(help={"name": _NAME, "node": _NODE})
def node_reboot(_: Context, *, name: str = "", node: str = "") -> None:
    """Restart a rehearsal node and wait until it is ready again."""
    rehearse.node_reboot(read_settings(_FOLDER, name or None), name=node)


ns = commands(sys.modules[__name__])
