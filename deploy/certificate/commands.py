"""Commands: get certificates and serve them."""

from typing import TYPE_CHECKING

from invoke.context import Context

from deploy.errors import DeployError
from deploy.options import file_of, project_of
from deploy.task import task

if TYPE_CHECKING:
    from deploy.app.credentials import Credentials
    from deploy.certificate.source import CertOptions
    from deploy.project import Project
    from deploy.settings.model import Settings

_LIFE = "how long a certificate of the project's own authority is valid"
_GIVEN = "a certificate that was given: PEM, DER, PKCS#7 or PKCS#12"
_GIVEN_KEY = "its private key, in any usual form; CERT_PASSWORD opens it if it is encrypted"


@task(
    "certificates and credentials",
    help={"days": _LIFE, "certificate": _GIVEN, "key": _GIVEN_KEY},
)
def cert_issue(
    context: Context, *, name: str = "", days: int = 90, certificate: str = "", key: str = ""
) -> None:
    """Get a certificate for CERT_NAMES as CERT_FROM says, without serving it yet."""
    from deploy.certificate.issue import cert_issue as issue

    project = _with_key(context, name)
    issue(project, _options(days, certificate, key), _credentials(project.settings))


@task("certificates and credentials")
def cert_request(context: Context, *, name: str = "") -> None:
    """Make a key and a signing request for an outside authority."""
    from deploy.certificate.issue import cert_request as request

    project = _with_key(context, name)
    request(project, _credentials(project.settings))


@task(
    "certificates and credentials",
    help={
        "days": _LIFE,
        "certificate": _GIVEN,
        "key": _GIVEN_KEY,
        "password_only": "the same keys, encrypted again with a changed password",
    },
)
def cert_rotate_https(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    *,
    name: str = "",
    days: int = 90,
    certificate: str = "",
    key: str = "",
    password_only: bool = False,
) -> None:
    """Serve a new key and certificate, proven by a live handshake, undone if not."""
    from deploy.certificate.rotate import cert_rotate_https as rotate
    from deploy.certificate.rotate import change_password

    project = project_of(context, name)
    if _by_proxy(project.settings) and not (certificate or key or password_only):
        from deploy.certificate.on_node import rotate_on_node

        rotate_on_node(project)
        return
    project = _with_key(context, name)
    credentials = _credentials(project.settings)
    if password_only:
        change_password(project, credentials)
    else:
        rotate(project, _options(days, certificate, key), credentials)


@task("certificates and credentials", help={"days": _LIFE, "force": "also when it is not due"})
def cert_renew(context: Context, *, name: str = "", days: int = 90, force: bool = False) -> None:
    """Serve a new certificate if the present one is due; safe to run from a timer."""
    from deploy.certificate.renew import cert_renew as renew
    from deploy.console import output

    project = project_of(context, name)
    if _by_proxy(project.settings) and not force:
        output.good(f"nothing to do: the node's proxy renews what {project.settings.app} has")
        return
    if _by_proxy(project.settings):
        from deploy.certificate.on_node import rotate_on_node

        rotate_on_node(project)
        return
    project = _with_key(context, name)
    renew(project, _options(days), _credentials(project.settings), force=force)


@task("certificates and credentials")
def cert_restore(context: Context, *, name: str = "") -> None:
    """Serve the certificate before the present one again."""
    from deploy.certificate.rotate import cert_restore as restore

    project = _with_key(context, name)
    restore(project, _credentials(project.settings))


def _by_proxy(settings: "Settings") -> bool:
    return settings.tls == "proxy" and settings.cert_from == "node"


def _with_key(context: Context, name: str) -> "Project":
    """Load an instance that has a TLS key of ours.

    Raises:
        DeployError: when it has none.
    """
    project = project_of(context, name)
    settings = project.settings
    if _by_proxy(settings):
        raise DeployError(
            f"CERT_FROM is node: the proxy of {settings.node_address} gets certificates itself",
            "`fab cert-status` shows them, `fab cert-rotate-https` has it get new ones",
        )
    if not settings.has_key:
        raise DeployError(f"TLS is none: {settings.app} has no certificate", "set TLS=proxy")
    return project


def _credentials(settings: "Settings") -> "Credentials":
    from deploy.app.credentials import Credentials
    from deploy.node.session import passphrase_prompt

    return Credentials(settings, passphrase_prompt())


def _options(days: int, certificate: str = "", key: str = "") -> "CertOptions":
    from deploy.certificate.source import CertOptions

    return CertOptions(days, *(file_of(name) if name else None for name in (certificate, key)))
