"""Commands: make an operator's folder."""

from invoke.context import Context

from deploy.options import file_of
from deploy.task import task


@task(
    "prepare and install",
    positional=["folder"],
    help={"folder": "the folder to make", "project": "its PROJECT; asked for if not given"},
)
def init(_: Context, folder: str, *, project: str = "") -> None:
    """Make a folder for an app's settings, certificates and overlays, with these commands."""
    from deploy.workstation.init import init as make

    make(file_of(folder), project=project)
