"""Verb: a machine from nothing to serving again, with its data: install, seal, deploy, prove."""

import time

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.status import status
from deploy.console import output
from deploy.machine.install.install import PATIENCE_SECONDS, install
from deploy.machine.install.plan.installation import Installation
from deploy.project import Project

_SECONDS_A_MINUTE = 60


def rebuild(
    project: Project,
    host: str,
    wanted: Installation,
    *,
    fingerprint: str = "",
    seconds: float = PATIENCE_SECONDS,
) -> int:
    """Install a machine from its live system and bring the app back; return the exit code.

    What was sealed for the machine before opens on no other: the first deploy seals every
    credential again, from its source here.

    Raises:
        DeployError: when a step fails; the ones before it need not be done again.
    """
    began = time.monotonic()
    install(project, host, wanted, fingerprint=fingerprint, seconds=seconds)
    installed = time.monotonic()
    address = host.rpartition("@")[2].partition(":")[0]
    there = project.settings.model_copy(update={"node_address": address})
    deploy(Project(project.folder, there), DeployOptions(first=True, what="rebuild"))
    code = status(Project(project.folder, there), as_json=False)
    whole, first = (_minutes(end - began) for end in (time.monotonic(), installed))
    output.good(f"{address} is back after {whole} minutes, {first} of them for the installation")
    return code


def _minutes(seconds: float) -> str:
    return f"{seconds / _SECONDS_A_MINUTE:.1f}"
