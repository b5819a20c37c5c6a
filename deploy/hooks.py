"""Programs of the operator that run on the workstation around a change: `hooks/before-deploy`, ….

A hook gets the plan as JSON on stdin, and its output is shown as it comes.
"""

import os
from typing import Literal

from deploy import report
from deploy.errors import DeployError
from deploy.programs import Start, run
from deploy.project import HOOKS, Project

Hook = Literal[
    "before-deploy", "after-deploy", "failed-deploy",
    "before-converge", "after-converge", "failed-converge",
]  # fmt: skip
_LONGEST_SECONDS = 600


def run_hook(project: Project, hook: Hook, told: str) -> None:
    """Run a hook, where there is one, with JSON on its stdin.

    Raises:
        DeployError: when it cannot be run, fails or takes too long.
    """
    path = project.hooks / hook
    if not path.exists():
        return
    if not os.access(path, os.X_OK):
        raise DeployError(f"{HOOKS / hook} cannot be run", f"chmod +x {HOOKS / hook}")
    report.say(f"{HOOKS / hook}:")
    run(
        [str(path.absolute())],
        doing=f"hook {hook}",
        hint=f"nothing on the node has changed; try it: {HOOKS / hook}",
        seconds=_LONGEST_SECONDS,
        start=Start(stdin=told.encode(), folder=project.folder, shown=True),
    )


def tell_hook(project: Project, hook: Hook, told: str) -> None:
    """Run a hook after the fact: that it fails is worth a warning, and changes nothing."""
    try:
        run_hook(project, hook, told)
    except DeployError as error:
        report.warn(error.message)
