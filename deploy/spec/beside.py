"""The other apps that a machine is born with: instances of the folder, and the node's proxy."""

from dataclasses import replace

from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import read_instances
from deploy.settings.model import Settings
from deploy.spec.plan.proxy import proxy_settings


def apps_beside(project: Project) -> tuple[Project, ...]:
    """List the apps that a machine is born with beside this one, each with settings of its own.

    These are the other instances for the same node that need no workstation, and the proxy in
    front of them. There are none where the app itself has to be deployed.

    Raises:
        DeployError: when two of them claim the same name or port, of which the node could give
            only one its own.
    """
    own = project.settings
    if not own.born or own.is_proxy:
        return ()
    others = [
        one
        for one in read_instances(project.folder)
        if one.app != own.app and one.born and _node(one) == _node(own)
    ]
    _refuse_clashes((own, *others))
    proxied = [one for one in (own, *others) if one.tls == "proxy"]
    proxies = [proxy_settings(one) for one in proxied[:1]]
    return tuple(replace(project, settings=one) for one in (*others, *proxies))


def _node(settings: Settings) -> tuple[str, int | None]:
    return settings.node_address, settings.node_port


def _refuse_clashes(apps: tuple[Settings, ...]) -> None:
    owners: dict[str, str] = {}
    for one in apps:
        for what in _claims(one):
            if what in owners:
                raise DeployError(
                    f"{what} is claimed by {owners[what]} and by {one.app}, which the machine "
                    "would be made with",
                    "give one of them another in its .env file; an instance that follows no tag is "
                    "not part of the machine (PULL_MODE=off)",
                )
            owners[what] = one.app


def _claims(settings: Settings) -> tuple[str, ...]:
    if settings.tls == "proxy":
        return tuple(f"the name {name}" for name in dict.fromkeys(settings.all_names))
    ports = (settings.https_port if settings.tls == "app" else None, settings.http_port)
    return tuple(f"port {port}" for port in ports if port)
