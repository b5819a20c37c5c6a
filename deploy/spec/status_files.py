"""Read what a machine's status page is made of: its scripts, and the operators' certificates."""

from cryptography.hazmat.primitives.serialization import Encoding

from certs.envelope import read_certificates
from certs.store import read
from deploy.project import Project
from deploy.spec.carried import STATUS_SCRIPTS, carried_scripts

# What `inspect` is to look at, a line each: made of the whole machine spec.
QUESTION = "question"


def read_status_files(project: Project) -> dict[str, bytes]:
    """Read the files of a machine with an app that follows a tag, by name; nothing for another.

    Raises:
        CertError: when the operators' certificates cannot be read.
    """
    if not project.settings.follows:
        return {}
    path = project.operator
    known = read_certificates(read(path), source=str(path)) if path.exists() else ()
    found = {f"operator-{n}.crt": one.public_bytes(Encoding.PEM) for n, one in enumerate(known)}
    if found:
        found[QUESTION] = b""
    return {**carried_scripts(STATUS_SCRIPTS), **found}
