"""Run the operator's hooks around a change: `hooks/before-deploy` and others.

A hook gets the plan as JSON on stdin; its output goes to the terminal.
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


def run_hook(folder: Path, hook: Hook, plan: str) -> None:
    """Run a hook if it exists, with the plan as JSON on its stdin.

    Raises:
        DeployError: when it is not executable, fails or takes too long.
    """
    path = folder / HOOKS / hook
    if not path.exists():
        return
    if not os.access(path, os.X_OK):
        raise DeployError(f"{HOOKS / hook} is not executable", f"chmod +x {HOOKS / hook}")
    output.say(f"{HOOKS / hook}:")
    run(
        [str(path.absolute())],
        doing=f"hook {hook}",
        hint=f"nothing on the node has changed; run {HOOKS / hook} to see why",
        seconds=_LONGEST_SECONDS,
        start=Start(stdin=plan.encode(), folder=folder, shown=True, operators=True),
    )


def run_hook_or_warn(folder: Path, hook: Hook, plan: str) -> None:
    """Run a hook after a change; a failure is printed as a warning only."""
    try:
        run_hook(folder, hook, plan)
    except DeployError as error:
        output.warn(error.message)
