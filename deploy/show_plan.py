"""Verb: show what a deploy would do, and do nothing."""

from deploy import node, report
from deploy.goal import check_material, goal, make_plan
from deploy.machine_files import render
from deploy.plan.prose import whole
from deploy.project import Project

_CHANGES = 2


def show_plan(project: Project, *, first: bool, as_json: bool, exit_code: bool) -> int:
    """Show the plan; return 2 for changes where `exit_code` asks for that, else 0.

    Raises:
        DeployError: for what a deploy would refuse as well.
    """
    with goal(render(project)) as wanted:
        with node.reached(project) as remote:
            planned = make_plan(remote, wanted, first=first, diffs=True)
        if planned.plan.steps and wanted.credentials.known().get("cert_pass") is not None:
            check_material(wanted, planned.state)
    if as_json:
        report.as_json(planned.plan.model_dump(mode="json"))
    elif planned.plan:
        for line in whole(planned.plan):
            report.say(line)
    else:
        report.good(f"nothing to do: {project.settings.app} serves what is wanted")
    leftover = planned.plan.leftover
    if leftover and not as_json:
        report.say(f"slot {leftover}, which serves no longer, will be drained and stopped")
    return _CHANGES if exit_code and (planned.plan or leftover) else 0
