"""Verb: reinstall a machine and deploy the app to it; its data partition is kept."""

import time

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.status import status
from deploy.console import output
from deploy.machine.install.install import PATIENCE_SECONDS, install
from deploy.machine.install.plan.options import Installation
from deploy.options import host as parse_host
from deploy.project import Project


def rebuild(
    project: Project,
    host: str,
    wanted: Installation,
    *,
    fingerprint: str = "",
    seconds: float = PATIENCE_SECONDS,
) -> int:
    """Install a machine from its live system and deploy the app; return the exit code.

    The deploy seals every credential from its source: those sealed before the reinstall cannot be
    opened any more.

    Raises:
        DeployError: when a step fails; the ones before it need not be repeated.
    """
    began = time.monotonic()
    install(project, host, wanted, fingerprint=fingerprint, seconds=seconds)
    installed = time.monotonic()
    address, _, _ = parse_host(host)
    settings = project.settings.model_copy(update={"node_address": address})
    there = Project(project.folder, settings)
    deploy(there, DeployOptions(first=True, what="rebuild"))
    code = status(there, as_json=False)
    whole, first = ((end - began) / 60 for end in (time.monotonic(), installed))
    output.good(
        f"{address} rebuilt in {whole:.1f} minutes, {first:.1f} of them for the installation"
    )
    return code
