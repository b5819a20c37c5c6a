"""Commands: have a node look at the tag that an app follows."""

from invoke.context import Context

from deploy.options import LOGIN, project_of, project_to_look_at
from deploy.task import task


@task("registry")
def pull(context: Context, *, name: str = "", json: bool = False) -> int:
    """Have the node take what its tag names now, whatever PULL_MODE and PULL_DELAY say."""
    from deploy.pull.status import pull as look

    return look(project_of(context, name, LOGIN), now=True, as_json=json)


@task("registry", help={"node": "its last look at its own bundle instead (PULL_NODE)"})
def pull_status(context: Context, *, name: str = "", json: bool = False, node: bool = False) -> int:
    """Show what came of the node's last look at its tag; exit code 1: something is wrong."""
    from deploy.pull.status import bundle_status
    from deploy.pull.status import pull as look

    project = project_to_look_at(context, name)
    return bundle_status(project, as_json=json) if node else look(project, now=False, as_json=json)
