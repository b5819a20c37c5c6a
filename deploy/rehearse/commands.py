"""Commands: rehearsal nodes on this machine."""

from invoke.context import Context

from deploy.options import LOGIN, MACHINE, file_of, folder_of, project_of
from deploy.task import task

_TRIED = ("IMAGE", "IMAGE_CACHE", "IMAGE_CACHE_MEGABYTES", "CONTAINER_COMMAND", "ENV_*")
_NODE = "the rehearsal node, PROJECT unless given"


@task(
    "prepare and install",
    name="try",
    bare="image",
    help={
        "image": "its name in podman's storage, or as in .env; IMAGE of .env unless given",
        "seconds": "how long it may take to start",
    },
)
def try_image(context: Context, *, image: str = "", name: str = "", seconds: int = 20) -> int:
    """Run an image on a throwaway node, and print the settings that it needs."""
    from deploy.rehearse.try_image import try_image as run

    given = {"IMAGE": image} if image else {}
    return run(project_of(context, name, _TRIED, given), seconds=seconds)


@task(
    "rehearsal",
    help={"node": _NODE, "state": "a folder for the machine's data partition, which outlives it"},
)
def rehearsal_up(context: Context, *, name: str = "", node: str = "", state: str = "") -> None:
    """Boot a rehearsal node from build/<app>.ign and pin its host key."""
    from deploy.rehearse import nodes

    kept = file_of(state) if state else None
    nodes.up(project_of(context, name, MACHINE), name=node, kept=kept)


@task("rehearsal")
def rehearsal_status(context: Context, *, json: bool = False) -> None:
    """List the rehearsal nodes."""
    from deploy.rehearse import nodes

    nodes.status(folder_of(context), as_json=json)


@task("rehearsal", help={"node": _NODE})
def rehearsal_reboot(context: Context, *, name: str = "", node: str = "") -> None:
    """Restart a rehearsal node and wait until it is ready again."""
    from deploy.rehearse import nodes

    nodes.reboot(project_of(context, name, MACHINE), name=node)


@task(
    "rehearsal",
    help={"node": _NODE, "rollback": "back to the system before, with its /etc of that time"},
)
def rehearsal_update(
    context: Context, *, name: str = "", node: str = "", rollback: bool = False
) -> None:
    """Restart a rehearsal node into the other generation of its system, as an OS update does."""
    from deploy.rehearse import nodes

    nodes.update(project_of(context, name, MACHINE), name=node, rollback=rollback)


@task("rehearsal", help={"node": _NODE, "all": "every node of this folder"})
def rehearsal_down(
    context: Context,
    *,
    name: str = "",
    node: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
) -> None:
    """Remove a rehearsal node and all it has."""
    from deploy.rehearse import nodes

    needed = ("KNOWN_HOSTS",) if node or all else ("PROJECT", "KNOWN_HOSTS")
    project = project_of(context, name, needed)
    if all:
        nodes.down_all(project)
    else:
        nodes.down(project, node or project.settings.project)


@task(
    "rehearsal",
    positional=["fault"],
    help={"worker": "web or jobs", "fault": "hang, crash, …"},
)
def rehearsal_fault(context: Context, fault: str, *, name: str = "", worker: str = "jobs") -> None:
    """Make a worker of the sample app hang or crash, and watch it recover."""
    from deploy.rehearse.faults import rehearse_fault

    rehearse_fault(project_of(context, name, LOGIN), fault=fault, worker=worker)
