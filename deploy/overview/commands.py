"""Commands: the fleet on one page."""

from invoke.context import Context

from deploy.options import file_of, project_of, projects_of, target
from deploy.task import task


@task(
    "look",
    help={
        "name": "only the instance of .env.NAME; every instance here unless given",
        "output": "the file to write; build/fleet.html unless given",
        "lines": "how many of the last changes to read from each node",
    },
)
def page(context: Context, *, name: str = "", output: str = "", lines: int = 200) -> None:
    """Write the fleet's nodes, apps, certificates, drift and changes to one HTML file."""
    from deploy.overview.page import page as write

    projects = (
        (project_of(context, name),)
        if target(context)
        else projects_of(context, name, every=not name)
    )
    write(projects, file_of(output) if output else None, lines=lines)
