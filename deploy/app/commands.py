"""Commands: deploy an app, go back, look at it."""

from invoke.context import Context

from deploy.options import LOGIN, project_of, project_to_look_at
from deploy.task import task

_FIRST = "the app's first release on this node"


@task(
    "deploy and go back",
    help={"first": _FIRST, "exit-code": "end with exit code 2 when there is something to do"},
)
def plan(
    context: Context,
    *,
    name: str = "",
    first: bool = False,
    json: bool = False,
    exit_code: bool = False,
) -> int:
    """Show what a deploy would do, with every difference, and do nothing."""
    from deploy.node.session import expect_login

    project = project_of(context, name)
    login = expect_login(project)
    from deploy.app.show_plan import show_plan

    return show_plan(project, first=first, as_json=json, exit_code=exit_code, login=login)


@task(
    "deploy and go back",
    help={"first": _FIRST, "force": "make a new release even if nothing differs"},
)
def deploy(
    context: Context, *, name: str = "", first: bool = False, force: bool = False, wait: int = 0
) -> None:
    """Deploy the app; if the new release does not serve, the old one stays or comes back."""
    from deploy.node.session import expect_login

    project = project_of(context, name)
    login = expect_login(project)
    from deploy.app.deploy import DeployOptions
    from deploy.app.deploy import deploy as roll_out

    roll_out(project, DeployOptions(first=first, force=force, wait_seconds=wait), login=login)


@task(
    "deploy and go back",
    help={"to": "the release; the one before the current one, unless given"},
)
def rollback(context: Context, *, name: str = "", to: str = "", wait: int = 0) -> None:
    """Go back to a release that the node keeps, proven like a deploy."""
    from deploy.node.session import expect_login

    project = project_of(context, name)
    login = expect_login(project)
    from deploy.app.rollback import rollback as go_back

    go_back(project, to=to, wait_seconds=wait, login=login)


@task("look")
def status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health; exit code 1 when the app is not healthy."""
    from deploy.node.session import expect_login, is_closed

    project = project_of(context, name)
    login = None if is_closed(project.settings) else expect_login(project)
    from deploy.app.status import status as show

    return show(project, as_json=json, login=login)


@task(
    "look", help={"lines": "how many", "release": "another than the current one; a failed one too"}
)
def logs(context: Context, *, name: str = "", lines: int = 50, release: str = "") -> None:
    """Show the last lines that the app and its unit wrote."""
    from deploy.app.logs import logs as show

    show(project_of(context, name, LOGIN), lines, release=release)


@task("look")
def releases(context: Context, *, name: str = "", json: bool = False) -> int:
    """List the app's releases on the node: which one serves, who made it, which failed."""
    from deploy.app.releases import releases as show

    return show(project_to_look_at(context, name), as_json=json)


_PROXY = "of the node's proxy, not of the app"


@task("look", help={"proxy": _PROXY})
def receipts(context: Context, *, name: str = "", proxy: bool = False, json: bool = False) -> None:
    """List the signed receipts of releases that are kept here, and who signed which."""
    from deploy.app.proxy import proxy_of
    from deploy.receipt.list import receipts as show

    project = project_of(context, name)
    show(proxy_of(project) if proxy else project, as_json=json)


@task(
    "look",
    help={
        "proxy": _PROXY,
        "here": "only what is kept here, without asking the node",
        "copy": "first copy valid receipts that one side lacks to the other",
    },
)
def receipts_verify(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    *,
    name: str = "",
    proxy: bool = False,
    here: bool = False,
    copy: bool = False,
    json: bool = False,
) -> int:
    """Verify the receipts here and on the node: signatures, order, and that none is missing."""
    from deploy.app.proxy import proxy_of
    from deploy.receipt.verify import receipts_verify as verify

    project = project_of(context, name)
    project = proxy_of(project) if proxy else project
    return verify(project, here=here, copy=copy, as_json=json)


@task("look", help={"lines": "how many", "every": "of every app of the node"})
def audit(
    context: Context, *, name: str = "", lines: int = 20, every: bool = False, json: bool = False
) -> int:
    """Show who changed what on the node, when, from where, and with what result."""
    from deploy.app.audit import audit as show

    return show(project_to_look_at(context, name), lines=lines, every=every, as_json=json)


@task("access")
def operator_key(context: Context, *, name: str = "") -> None:
    """Show the key that opens what nodes tell their operators; make it."""
    from deploy.app.operator import operator_key as show

    show(project_of(context, name))


@task("image", help={"yes": "do not ask"})
def image_repair(context: Context, *, name: str = "", yes: bool = False, wait: int = 0) -> None:
    """Remove damaged layers from the node's storage, and deploy what was lost with them."""
    from deploy.app.repair import image_repair as repair

    repair(project_of(context, name), asked=yes, wait_seconds=wait)
