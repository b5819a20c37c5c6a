"""Read certificates from an outside authority: PEM, DER, PKCS#7 or PKCS#12."""

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from certs.certificate import PARSE_ERRORS, Certificate, from_der, from_x509, tolerant
from certs.chain import Chain, read_chain, without_keys
from certs.checks import issued
from certs.errors import CertError, no_panic
from certs.import_key import find_key, usable
from certs.keyfile import PrivateKey
from certs.work import check_work

# The labels that programs give to PKCS#7 in PEM; some of Microsoft's write CERTIFICATE.
_PKCS7_PEM = re.compile(
    rb"-----BEGIN (PKCS7|PKCS #7 SIGNED DATA|CMS|CERTIFICATE CHAIN)-----(.*?)-----END \1-----",
    re.DOTALL,
)
_CERTIFICATE_PEM = re.compile(rb"-----BEGIN (CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)
_SEQUENCE, _OBJECT_IDENTIFIER, _INTEGER = 0x30, 0x06, 0x02
_AGAIN = "export it again: as PEM, DER, PKCS#7 (.p7b) or PKCS#12 (.p12, .pfx)"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A chain, and its key if the file has one."""

    chain: Chain
    key: PrivateKey | None = field(default=None, repr=False)


def read_bundle(
    data: bytes,
    *,
    source: str,
    key: PrivateKey | None = None,
    password: bytes | None = None,
) -> Bundle:
    """Read a file of certificates and perhaps a key; raise CertError that names the file.

    PEM keeps its order, which is for the checks to judge. PKCS#7 and PKCS#12 have none: theirs is
    made, beginning with the certificate of `key` or of the file's own key.
    """
    if not data.strip():
        raise CertError(f"{source}: the file is empty", _AGAIN)
    if (der := _pkcs7_in_pem(data)) is not None:
        return Bundle(_arranged(_load_pkcs7(der, source), key, source))
    if data.startswith(b"\x30"):
        return _read_der(data, source, key, password)
    found = find_key(data, source=source, password=password)
    return Bundle(read_chain(without_keys(data), source=source), found)


def _read_der(data: bytes, source: str, key: PrivateKey | None, password: bytes | None) -> Bundle:
    kind = _first_tag(data)
    if kind == _SEQUENCE:
        return Bundle(Chain((from_der(data, source=source),), source))
    if kind == _OBJECT_IDENTIFIER:
        return Bundle(_arranged(_load_pkcs7(data, source), key, source))
    if kind == _INTEGER:
        return _read_pkcs12(data, source, password)
    raise CertError(f"{source}: neither a certificate nor PKCS#7 nor PKCS#12", _AGAIN)


def _first_tag(data: bytes) -> int | None:
    # What stands first in the outer sequence tells the three apart: see RFC 5280, 2315 and 7292.
    length_bytes = data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0
    return data[2 + length_bytes] if len(data) > 2 + length_bytes else None


def _pkcs7_in_pem(data: bytes) -> bytes | None:
    """Decode PKCS#7 in PEM to DER, whatever its label; None if there is none."""
    for pattern in (_PKCS7_PEM, _CERTIFICATE_PEM):
        if block := pattern.search(data):
            with suppress(binascii.Error):
                der = base64.b64decode(b"".join(block[2].split()), validate=True)
                if _first_tag(der) == _OBJECT_IDENTIFIER:
                    return der
    return None


def _load_pkcs7(der: bytes, source: str) -> list[Certificate]:
    try:
        with tolerant():
            return [from_x509(found) for found in pkcs7.load_der_pkcs7_certificates(der)]
    except PARSE_ERRORS as error:
        raise CertError(f"{source}: no readable PKCS#7: {error}", _AGAIN) from error


def _read_pkcs12(data: bytes, source: str, password: bytes | None) -> Bundle:
    check_work(data, source=source)
    try:
        store = _open_pkcs12(data, source, password)
        held = [store.cert, *store.additional_certs]
        found = [from_x509(one.certificate) for one in held if one is not None]
    except PARSE_ERRORS as error:
        hint = "give the password of the file" if password is None else "CERT_PASSWORD was tried"
        raise CertError(
            f"{source}: this PKCS#12 file does not open: {error}",
            f"{hint}; or export it again, with that password or none",
        ) from error
    key = None if store.key is None else usable(store.key, source=source)
    return Bundle(_arranged(found, key, source), key)


def _open_pkcs12(
    data: bytes, source: str, password: bytes | None
) -> pkcs12.PKCS12KeyAndCertificates:
    """Open a PKCS#12 file with the password, or without: one may be set that the file lacks."""
    with tolerant(), no_panic(source):
        if password:
            with suppress(ValueError):
                return pkcs12.load_pkcs12(data, password)
        return pkcs12.load_pkcs12(data, None)


def _arranged(found: Sequence[Certificate], key: PrivateKey | None, source: str) -> Chain:
    """Sort certificates from the server's up to its root; drop those of other chains."""
    leaf = _leaf(list(dict.fromkeys(found)), key)
    if leaf is None:
        raise CertError(
            f"{source}: no server's certificate {'for this key ' if key else ''}among {len(found)}",
            "import it with the key that the request was made with"
            if key
            else "export the server's certificate; an authority's, or a self-signed one with "
            "CA:TRUE, is none",
        )
    chain = [leaf]
    while above := next(
        (one for one in found if one not in chain and issued(one, chain[-1])), None
    ):
        chain.append(above)
    return Chain(tuple(chain), source)


def _leaf(found: Sequence[Certificate], key: PrivateKey | None) -> Certificate | None:
    if key is not None:
        public = key.public_key()
        return next((one for one in found if one.x509().public_key() == public), None)
    return next((one for one in found if not one.is_ca), None)
