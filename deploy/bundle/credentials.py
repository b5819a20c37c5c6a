"""Verb: publish credentials for a node without SSH, encrypted to its own key."""

from collections.abc import Mapping

from certs.envelope import make_envelope, read_certificates
from certs.store import read
from deploy.bundle.plan.content import SECRETS
from deploy.bundle.publish import required_node
from deploy.bundle.send import send_changed
from deploy.console import output
from deploy.errors import DeployError
from deploy.node.file import File
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.settings.model import Settings
from deploy.spec.plan.pull import node_bundle


def takes_credentials(settings: Settings) -> bool:
    """Tell whether credentials reach the node in its bundle: there is no login."""
    return settings.ssh == "off" and settings.follows_bundle


def publish_credentials(project: Project, values: Mapping[str, str]) -> None:
    """Encrypt credentials to the node's key, and publish them beside what its bundle has.

    Raises:
        CertError: for what is no certificate of a node.
        DeployError: when the node's key is not known here, or the registry refuses the bundle.
    """
    node, app = required_node(project), project.settings.app
    pinned = project.node_certificate
    if not pinned.exists():
        raise DeployError(
            f"{pinned.relative_to(project.folder)} is not there: the node's key is not known here",
            "compare it with the machine's console: `fab enrol`",
        )
    certificate = read_certificates(read(pinned), source=str(pinned))[0]
    # The first line says what it is: nothing else authenticates what an envelope has in it.
    made = [
        File(
            f"{SECRETS}{app}/{name}.cms",
            make_envelope(f"{app}/{name}\n{value}".encode(), certificate),
            0o600,
        )
        for name, value in values.items()
    ]
    known = {source.credential for source in project.settings.sources}
    publisher = Publisher.of(project, node_bundle(project.settings))
    serial = send_changed(
        publisher, node, lambda before, _: before.with_secrets(made, app=app, known=known)
    )
    names = ", ".join(values)
    output.good(
        f"{names} published for {node} alone (serial {serial}); {app} gets it at the next look"
    )
