"""A server's certificate with its issuers' certificates."""

import re
from dataclasses import dataclass

from cryptography import x509

from certs.certificate import PARSE_ERRORS, Certificate, from_x509, tolerant
from certs.errors import Problem, refusal

_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]{1,64})-----(?P<body>.*?)(?P<end>-----END (?P=label)-----|\Z)",
    re.DOTALL,
)
_OLD_LABELS = ("X509 CERTIFICATE",)
_OTHER_LABELS = {
    "TRUSTED CERTIFICATE": "write it as an ordinary one: `openssl x509 -in FILE -out NEW`",
    "CERTIFICATE REQUEST": "give the certificate that the authority issued for this request",
    "NEW CERTIFICATE REQUEST": "give the certificate that the authority issued for this request",
}
_AGAIN = "get the file again from whoever issued it"


@dataclass(frozen=True, slots=True)
class Chain:
    """Certificates as a server sends them, its own first; never empty. `source` names the file."""

    certificates: tuple[Certificate, ...]
    source: str

    @property
    def leaf(self) -> Certificate:
        """The server's own certificate."""
        return self.certificates[0]

    @property
    def pem(self) -> bytes:
        """The chain as PEM, in order, without other text."""
        return b"".join(certificate.pem for certificate in self.certificates)


def read_chain(pem: bytes, *, source: str) -> Chain:
    """Read PEM text that holds one or more certificates; raise CertError with every problem.

    Text around the blocks is passed over. A private key among them is refused: it would be
    sent to places where only certificates go.
    """
    read = [_read(match, place) for place, match in enumerate(_BLOCK.finditer(pem), 1)]
    problems = [one for one in read if isinstance(one, Problem)] or _absent(pem, read)
    if problems:
        raise refusal(source, problems)
    return Chain(tuple(one for one in read if isinstance(one, Certificate)), source)


def without_keys(pem: bytes) -> bytes:
    """Remove private keys from PEM text, and parameters, which some programs write before them."""
    return _BLOCK.sub(
        lambda block: b"" if block["label"].endswith((b"PRIVATE KEY", b"PARAMETERS")) else block[0],
        pem,
    )


def _read(match: re.Match[bytes], place: int) -> Certificate | Problem:
    label = match["label"].decode("ascii")
    if label.endswith("PRIVATE KEY"):
        return Problem(
            f"block {place} is a private key",
            "keep the key in its own file, and consider it seen by whoever could read this one",
        )
    if label not in {"CERTIFICATE", *_OLD_LABELS}:
        hint = _OTHER_LABELS.get(label, "leave it out")
        return Problem(f"block {place} is a {label}, not a CERTIFICATE", hint)
    if not match["end"]:
        return Problem(f"certificate {place} has no END line: the file is cut off", _AGAIN)
    try:
        with tolerant():
            return from_x509(x509.load_pem_x509_certificate(match[0]))
    except PARSE_ERRORS as error:
        return Problem(f"certificate {place} cannot be read: {error}", _AGAIN)


def _absent(pem: bytes, read: list[Certificate | Problem]) -> list[Problem]:
    if read:
        return []
    if not pem.strip():
        return [Problem("the file is empty", _AGAIN)]
    if pem.startswith(b"\x30"):
        return [Problem("this is DER or PKCS, not PEM", "import the file instead of copying it")]
    if b"\0" in pem[:4]:
        return [Problem("this is UTF-16 text", "convert it: `iconv -f UTF-16 -t UTF-8 FILE >NEW`")]
    return [Problem("no certificate in it", "expected PEM: -----BEGIN CERTIFICATE-----")]
