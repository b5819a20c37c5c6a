"""The request (PKCS#10) that asks an outside authority for a certificate."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certs.keyfile import PrivateKey
from certs.names import general_names


def signing_request(names: Sequence[str], *, key: PrivateKey) -> bytes:
    """Write a request for a server's certificate as PEM; raise CertError with every bad name.

    The subject is left empty: authorities take the names from the extension, and fill in what
    they have verified themselves.
    """
    alternatives = x509.SubjectAlternativeName(general_names(names))
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(alternatives, critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
