"""The key that opens what nodes tell their operators, and the certificate by which they encrypt."""

from datetime import UTC, datetime

from certs.envelope import KIND, fingerprint, read_certificates, self_signed
from certs.keyfile import PrivateKey
from certs.store import read, write_public
from deploy.app.credentials import Credentials
from deploy.app.own_keys import open_own_key, own_key
from deploy.app.tls import material
from deploy.console import output
from deploy.errors import DeployError
from deploy.node.session import passphrase_prompt
from deploy.project import Project
from deploy.workstation.git import person

_MAKE = "`fab operator-key` makes it; nodes encrypt to it when they are made after that"


def operator_key(project: Project) -> None:
    """Show whom nodes tell how they are; make this workstation's key at the first use.

    Raises:
        CertError: when AUTHORITY_PASSWORD does not open the key.
        DeployError: when AUTHORITY_PASSWORD is not set.
    """
    path = material(project).operator_key
    credentials = Credentials(project.settings, passphrase_prompt())
    own = own_key(path, credentials, KIND)
    known = read(project.operator) if project.operator.exists() else b""
    found = read_certificates(known, source=str(project.operator)) if known.strip() else ()
    if not any(one.public_key() == own.public_key() for one in found):
        made = self_signed(own, person()[:64], now=datetime.now(UTC))
        write_public(project.operator, known + made)
        found = (*found, *read_certificates(made, source=str(project.operator)))
        output.good(f"{project.operator}: nodes that are made from here on encrypt to this key too")
    for one in found:
        mine = ", this workstation's" if one.public_key() == own.public_key() else ""
        output.say(f"  {fingerprint(one)} {one.subject.rfc4514_string()}{mine}")


def open_operator_key(project: Project) -> PrivateKey:
    """Open the key that opens what nodes tell their operators.

    Raises:
        CertError: when AUTHORITY_PASSWORD does not open it.
        DeployError: when it is not on this machine.
    """
    path = material(project).operator_key
    if not path.exists() or not project.operator.exists():
        raise DeployError("there is no operator's key here, which opens a status page", _MAKE)
    return open_own_key(path, Credentials(project.settings, passphrase_prompt()))
