"""Verb: start or update the proxy of a node."""

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.proxy import fetch_image, proxy_of
from deploy.node import session
from deploy.node.state import probe
from deploy.project import Project


def proxy_deploy(project: Project, *, force: bool, wait_seconds: int) -> None:
    """Deploy the proxy, whether the node has one or not.

    Raises:
        DeployError: when something fails; what served still serves.
    """
    proxy = proxy_of(project)
    with session.open_session(project) as remote:
        state = probe(remote, proxy.settings.app)
        fetch_image(proxy, state.platform)
    deploy(
        proxy,
        DeployOptions(
            first=not state.release, force=force, what="proxy-deploy", wait_seconds=wait_seconds
        ),
    )
