"""Have the proxy of a node get new certificates, proven by handshakes; else restore the old."""

from collections.abc import Iterator

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.health import check
from deploy.app.proxy import fetch_image, proxy_of
from deploy.certificate import act
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.endpoint import Endpoint
from deploy.node.lock import acquire_lock
from deploy.node.remote import Remote
from deploy.node.state import probe
from deploy.project import Project


def rotate_on_node(project: Project) -> None:
    """Set the proxy's certificates for the app's names aside, and start another beside it.

    The new one gets certificates before visitors reach it.

    Raises:
        DeployError: when it gets none; the old proxy and the old certificates serve.
        LockHeldError: while another command changes the app.
    """
    settings = project.settings
    names = settings.all_names
    proxy = proxy_of(project)
    before = dict(_shown(project, names))
    with session.open_session(project) as remote:
        acquire_lock(remote, project, "certificate")
        try:
            remote.checked(act.proxy_certificates("set-aside", names), "setting certificates aside")
            fetch_image(proxy, probe(remote, proxy.settings.app).platform)
            deploy(proxy, DeployOptions(force=True, what="certificate"))
            after = _changed(project, before)
        except BaseException:
            _put_back(remote, names)
            raise
        remote.checked(act.proxy_certificates("forget", names), "removing the old certificates")
    for name, mark in after.items():
        output.good(f"{name}: {before[name][:16] or 'none'} -> {mark[:16]}, proven by handshake")


def _changed(project: Project, before: dict[str, str]) -> dict[str, str]:
    after = dict(_shown(project, tuple(before)))
    for name, mark in after.items():
        if mark in {"", before[name]}:
            raise DeployError(
                f"{name} still shows the certificate {before[name][:16] or 'none'}",
                "read `fab proxy-logs`: Caddy says there why the authority gave none",
            )
    return after


def _shown(project: Project, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Say which certificate is shown for each name, by SHA-256; empty for none."""
    first = session.endpoint(project)
    for name in names:
        found = check(Endpoint(first.address, first.port, name), "/").certificate
        yield name, found.sha256 if found else ""


def _put_back(remote: Remote, names: tuple[str, ...]) -> None:
    try:
        remote.checked(act.proxy_certificates("put-back", names), "putting certificates back")
    except DeployError as error:
        output.warn(error.message)
