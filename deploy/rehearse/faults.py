"""Make a worker of the sample app fail on its node, and watch it recover."""

import time

from deploy.app.workers import Worker, ask_workers
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.project import Project

FAULTS = ("hang", "crash", "leak", "refuse-term", "slow-start")
_LONGEST_SECONDS = 180.0
_PAUSE_SECONDS = 0.5


def rehearse_fault(project: Project, *, fault: str, worker: str) -> None:
    """Switch a fault of the sample on, and print what its supervisor does about it.

    Raises:
        DeployError: for an unknown fault, an app that cannot fail on request, no recovery.
    """
    settings = project.settings
    if fault.partition("=")[0] not in FAULTS:
        raise DeployError(f"unknown fault {fault!r}", f"choose one of {', '.join(FAULTS)}")
    with session.open_session(project) as remote:
        before = _worker(remote, settings.app, worker)
        remote.checked(
            Command("fault", (settings.app, worker, fault)),
            f"switching on {fault} in {settings.app}",
            "only the sample app can fail on request",
        )
        _watch(remote, settings.app, before, fault)


def _watch(remote: Remote, app: str, before: Worker, fault: str) -> None:
    began = time.monotonic()
    shown = ""
    while time.monotonic() - began < _LONGEST_SECONDS:
        now = _worker(remote, app, before.name)
        line = f"{now.name} is {now.state}, restarted {now.restarts} times"
        if line != shown:
            output.say(f"{time.monotonic() - began:6.1f} s  {line}")
            shown = line
        if now.restarts > before.restarts and now.state == "healthy":
            reason = now.reasons[-1] if now.reasons else "no reason given"
            output.good(f"{now.name} is healthy again: {reason}")
            return
        # The supervisor only answers questions: it reports nothing by itself.
        time.sleep(_PAUSE_SECONDS)
    raise DeployError(
        f"{before.name} was not restarted within {_LONGEST_SECONDS:.0f} s of {fault}",
        "leak and refuse-term need a limit or a stop to show; `fab logs` says more",
    )


def _worker(remote: Remote, app: str, name: str) -> Worker:
    found = ask_workers(remote, app)
    for one in found.workers if found else ():
        if one.name == name:
            return one
    raise DeployError(f"{app} has no worker {name}", "the sample has web and jobs")
