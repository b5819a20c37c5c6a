"""Verb: show what a deploy would do, and do nothing."""

from deploy.app.plan.describe import whole
from deploy.app.plan.plan import Plan
from deploy.app.planner import check_material, load_desired, make_plan
from deploy.console import output
from deploy.node import session
from deploy.node.login import Login
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.render import render

_CHANGES = 2


def show_plan(
    project: Project,
    *,
    first: bool,
    as_json: bool,
    exit_code: bool,
    login: Login | None = None,
) -> int:
    """Show the plan; return 2 for changes where `exit_code` asks for that, else 0.

    Raises:
        DeployError: for what a deploy would refuse as well.
    """
    with load_desired(render(project)) as desired:
        with session.open_session(project, login) as remote:
            plan, state = make_plan(remote, desired, first=first, diffs=True)
        if plan.steps and desired.credentials.known().get(CERT_PASS) is not None:
            check_material(desired, state)
    if as_json:
        output.as_json(plan.document())
    else:
        _show(plan)
    return _CHANGES if exit_code and (plan or plan.leftover) else 0


def _show(plan: Plan) -> None:
    if plan:
        for line in whole(plan):
            output.say(line)
    else:
        output.good(f"nothing to do: {plan.app} serves what is wanted")
    if plan.leftover:
        output.say(f"slot {plan.leftover}, which serves no longer, will be drained and stopped")
