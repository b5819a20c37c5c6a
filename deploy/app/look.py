"""Look at a node: log in, or read its status page where it has SSH=off."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from certs.envelope import open_envelope, read_certificates
from certs.keyfile import PrivateKey
from certs.store import read
from deploy.app.operator import open_operator_key
from deploy.app.telling import hearing, told_session
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.login import Login
from deploy.node.remote import Remote
from deploy.page.fetch import STATUS, fetch
from deploy.page.plan.page import MOST_BYTES, Page, read_page
from deploy.page.remote import PageRemote
from deploy.project import Project


@contextmanager
def looking(
    project: Project, login: Login | None = None, key: PrivateKey | None = None, page: str = STATUS
) -> Iterator[Remote]:
    """Reach the node with commands that only look, until the block ends.

    A page that does not tell how the node is now is read all the same, with a warning: it is the
    last that is known. Its `trouble` says so, and the command has to end with an exit code.
    `key` is the operator's, opened already.
    """
    if not session.is_closed(project.settings):
        with told_session(project, login) as remote:
            yield remote
        return
    with hearing(project) as unheard:
        found = PageRemote(session.address_of(project), _read(project, key, page), time.time())
        if found.trouble:
            output.warn(f"{found.name}: {found.trouble}")
            unheard(found.trouble)
    yield found


def _read(project: Project, key: PrivateKey | None, name: str) -> Page:
    """Fetch a page of a node, open it, and check that the node has signed it.

    Raises:
        CertError: when it is not encrypted to this workstation's key.
        DeployError: when the node's key is not pinned, or the page cannot be had or believed.
    """
    pinned = project.node_certificate
    if not pinned.exists():
        raise DeployError(
            "the node has SSH=off, and the key that signs its status page is not pinned here",
            f"pin it, compared with the machine's console: `fab enrol` ({pinned.name}). Other "
            "ways to such a node: `fab publish`, `fab promote`, `fab withdraw`, its console",
        )
    (certificate, *_) = read_certificates(read(pinned), source=str(pinned))
    key = key or open_operator_key(project)
    operators = read_certificates(read(project.operator), source=str(project.operator))
    page = fetch(session.address_of(project), name, MOST_BYTES)
    return read_page(open_envelope(page, operators, key, source="the status page"), certificate)
