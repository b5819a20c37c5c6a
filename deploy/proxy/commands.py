"""Commands: the proxy of a node."""

from invoke.context import Context

from deploy.options import project_of
from deploy.task import task


@task("proxy", help={"force": "make a new release even if nothing differs"})
def proxy_deploy(context: Context, *, name: str = "", force: bool = False, wait: int = 0) -> None:
    """Start or update the node's proxy; no request fails."""
    from deploy.proxy.deploy import proxy_deploy as roll_out

    roll_out(project_of(context, name), force=force, wait_seconds=wait)


@task("proxy")
def proxy_build(context: Context, *, name: str = "") -> None:
    """Build an image of Caddy from Debian packages as PROXY_IMAGE, where there is no registry."""
    from container.examples.build import build
    from deploy.console import output
    from deploy.settings.model import PROXY_BUILT

    wanted = project_of(context, name).settings.proxy_image
    # What is built cannot have the digest of another image.
    image = PROXY_BUILT if "@" in wanted else wanted
    output.good(f"{image} is {build('caddy', image)}")
    if image != wanted:
        output.say(f"next: set PROXY_IMAGE={image} in .env")


@task("proxy", help={"to": "the release; the one before the current one, unless given"})
def proxy_rollback(context: Context, *, name: str = "", to: str = "", wait: int = 0) -> None:
    """Go back to a release of the proxy that the node keeps."""
    from deploy.app.proxy import proxy_of
    from deploy.app.rollback import rollback

    rollback(proxy_of(project_of(context, name)), to=to, wait_seconds=wait)


@task("proxy")
def proxy_status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health of the node's proxy."""
    from deploy.app.proxy import proxy_of
    from deploy.app.status import status

    project = project_of(context, name)
    return status(proxy_of(project), as_json=json, through=project)


@task("proxy", help={"lines": "how many"})
def proxy_logs(context: Context, *, name: str = "", lines: int = 50) -> None:
    """Show the last lines that the proxy wrote."""
    from deploy.app.logs import logs
    from deploy.app.proxy import proxy_of

    logs(proxy_of(project_of(context, name)), lines)


@task("proxy")
def proxy_routes(context: Context, *, name: str = "", json: bool = False) -> None:
    """List the apps behind the node's proxy, with their names and slots."""
    from deploy.proxy.routes import proxy_routes as show

    show(project_of(context, name), as_json=json)


@task("proxy", positional=["state"], help={"state": "on or off"})
def maintenance(context: Context, state: str, *, name: str = "") -> None:
    """Show visitors a maintenance page (503) instead of the app, or the app again."""
    from deploy.errors import DeployError
    from deploy.proxy.routes import maintenance as switch

    if state not in {"on", "off"}:
        raise DeployError(f"the state is {state}", "type `fab maintenance on` or `… off`")
    switch(project_of(context, name), "on" if state == "on" else "off")
