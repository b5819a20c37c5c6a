"""Certificate signing requests (PKCS#10) for an outside authority."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from certs.certificate import PARSE_ERRORS
from certs.errors import CertError
from certs.keyfile import PrivateKey
from certs.names import general_names, normal


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


def requested_names(request: bytes) -> tuple[str, ...]:
    """List the names in a PEM request; raise CertError if it is not one."""
    try:
        found = x509.load_pem_x509_csr(request).extensions
        alternatives = found.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*PARSE_ERRORS, x509.ExtensionNotFound) as error:
        raise CertError(f"the signing request cannot be used: {error}", "make a new one") from error
    return tuple(normal(str(name.value)) for name in alternatives)
