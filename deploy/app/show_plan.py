"""Verb: show what a deploy would do."""

from deploy.app.plan.describe import describe
from deploy.app.planner import check_material, load_artifacts, make_plan
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
    """Show the plan; return 0, or 2 for a plan with changes when `exit_code` is set.

    Raises:
        DeployError: for anything that a deploy would refuse.
    """
    with load_artifacts(render(project)) as artifacts:
        with session.open_session(project, login) as remote:
            plan, state = make_plan(remote, artifacts, first=first, diffs=True)
        if plan.steps and artifacts.credentials.known().get(CERT_PASS) is not None:
            check_material(artifacts, state)
    code = _CHANGES if exit_code and (plan or plan.leftover) else 0
    if as_json:
        output.as_json(plan.document())
        return code
    if plan:
        if project.settings.tls == "proxy" and not state.proxy:
            output.say(
                "first the node's proxy is deployed, which is not there yet: ports 443 and 80"
            )
        for line in describe(plan):
            output.say(line)
    else:
        output.good(f"nothing to do: {plan.app} is up to date")
    if plan.leftover:
        output.say(f"slot {plan.leftover}, which no longer serves, will be drained and stopped")
    return code
