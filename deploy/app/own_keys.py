"""The keys of authorities and accounts, encrypted with AUTHORITY_PASSWORD; none is on a node."""

from pathlib import Path

from certs.errors import CertError
from certs.keyfile import PrivateKey, decrypt, encrypt, new_key, opens
from certs.store import read_secret, write_secret
from deploy.app.credentials import Credentials
from deploy.console import output
from deploy.errors import DeployError
from deploy.settings.conflicts import ALIKE
from deploy.settings.model import AUTHORITY_PASS, AUTHORITY_PASS_OLD, CERT_PASS, CERT_PASS_OLD

_EARLIER = (AUTHORITY_PASS_OLD, CERT_PASS, CERT_PASS_OLD)


def own_key(path: Path, credentials: Credentials, kind: str = "ecdsa-p256") -> PrivateKey:
    """Open one of these keys; make it, of this kind, at its first use.

    Raises:
        CertError: when no password opens it.
        DeployError: when AUTHORITY_PASSWORD is not set, or is CERT_PASSWORD.
    """
    if not path.exists():
        write_own_key(path, new_key(kind), credentials)
    return open_own_key(path, credentials)


def write_own_key(path: Path, key: PrivateKey, credentials: Credentials) -> None:
    """Write one of these keys.

    Raises:
        DeployError: when AUTHORITY_PASSWORD is not set, or is CERT_PASSWORD.
    """
    write_secret(path, encrypt(key, _password(credentials)))


def open_own_key(path: Path, credentials: Credentials) -> PrivateKey:
    """Open one of these keys; encrypt it again if its password is an older one, or CERT_PASSWORD.

    Raises:
        CertError: when no password opens it.
        DeployError: when AUTHORITY_PASSWORD is not set, or is CERT_PASSWORD.
    """
    sealed, password = read_secret(path), _password(credentials)
    if not opens(sealed, password):
        known = [credentials.known_value(name) for name in _EARLIER]
        earlier = next((one for one in known if one and opens(sealed, one.encode())), None)
        if earlier is None:
            raise CertError(
                f"{path}: AUTHORITY_PASSWORD does not open this key",
                "give the password it was encrypted with as AUTHORITY_PASSWORD_OLD; a key that "
                "an older corefab made has CERT_PASSWORD, or CERT_PASSWORD_OLD",
            )
        key = decrypt(sealed, earlier.encode(), source=str(path))
        write_own_key(path, key, credentials)
        output.good(f"{path.parent.name}/{path.name} is encrypted with AUTHORITY_PASSWORD now")
        return key
    return decrypt(sealed, password, source=str(path))


def _password(credentials: Credentials) -> bytes:
    try:
        password = credentials.value(AUTHORITY_PASS)
    except DeployError as error:
        hint = (
            "a new one: it opens keys that no container may, which CERT_PASSWORD opened until now"
        )
        raise DeployError(error.message, f"{error.hint}; {hint}") from error
    if password == credentials.known_value(CERT_PASS):
        raise DeployError(ALIKE)
    return password.encode()
