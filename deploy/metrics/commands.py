"""Commands: facts of nodes, for programs that watch them."""

from invoke.context import Context

from deploy.options import project_to_look_at, projects_of
from deploy.task import task


@task("look", help={"all": "of every node of the instances here"})
def metrics(
    context: Context,
    *,
    name: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
) -> int:
    """Print what the node tells of itself as metrics, in Prometheus' text format."""
    from deploy.metrics.metrics import metrics as show

    return show(
        projects_of(context, name, every=True) if all else (project_to_look_at(context, name),)
    )
