"""Programs of the operator that run on the workstation around a change: `hooks/before-deploy`, ….

A hook gets the plan as JSON on stdin, and its output is shown as it comes.
"""

import os
from pathlib import Path
from typing import Literal

from deploy.console import output
from deploy.errors import DeployError
from deploy.workstation.programs import Start, run

Hook = Literal[
    "before-deploy", "after-deploy", "failed-deploy",
    "before-converge", "after-converge", "failed-converge",
]  # fmt: skip
HOOKS = Path("hooks")
_LONGEST_SECONDS = 600


def run_hook(folder: Path, hook: Hook, told: str) -> None:
    """Run a hook, where there is one, with JSON on its stdin.

    Raises:
        DeployError: when it cannot be run, fails or takes too long.
    """
    path = folder / HOOKS / hook
    if not path.exists():
        return
    if not os.access(path, os.X_OK):
        raise DeployError(f"{HOOKS / hook} cannot be run", f"chmod +x {HOOKS / hook}")
    output.say(f"{HOOKS / hook}:")
    run(
        [str(path.absolute())],
        doing=f"hook {hook}",
        hint=f"nothing on the node has changed; try it: {HOOKS / hook}",
        seconds=_LONGEST_SECONDS,
        start=Start(stdin=told.encode(), folder=folder, shown=True),
    )


def run_hook_or_warn(folder: Path, hook: Hook, told: str) -> None:
    """Run a hook after the fact: that it fails is worth a warning, and changes nothing."""
    try:
        run_hook(folder, hook, told)
    except DeployError as error:
        output.warn(error.message)
