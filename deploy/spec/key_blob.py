"""The inside of SSH public keys, parsed by sshd's rules."""

import base64
import re
import struct

# Names of signatures, which sshd takes for the type of a key too.
SIGNATURES = {
    "ssh-rsa": ("rsa-sha2-256", "rsa-sha2-512"),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("webauthn-sk-ecdsa-sha2-nistp256@openssh.com",),
}
# The types that a node lets in; a type with a curve is an ECDSA key.
KINDS = {
    "ssh-ed25519": "",
    "sk-ssh-ed25519@openssh.com": "",
    "ssh-rsa": "",
    "ecdsa-sha2-nistp256": "nistp256",
    "ecdsa-sha2-nistp384": "nistp384",
    "ecdsa-sha2-nistp521": "nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com": "nistp256",
}
_KIND = re.compile(r"[a-z0-9@.-]{1,64}")
# How many numbers such a key consists of.
_NUMBERS = {"ssh-rsa": 2, "ssh-dss": 4}
_ED25519_BYTES = 32
# What Fedora CoreOS takes (RequiredRSASize of its crypto policy), and what sshd reads at all.
_RSA_BITS, _RSA_READABLE_BITS = 2048, range(1024, 16385)


def normalize(key: str) -> tuple[str, str]:
    """Give a key's type, and its base64 text as sshd writes it: fingerprints are of that.

    sshd takes numbers with zeros before them, and names of signatures for the type.

    Raises:
        ValueError: for what is no key.
    """
    blob = base64.b64decode(key, validate=True)
    if base64.b64encode(blob).decode() != key:
        raise ValueError("sshd takes no base64 with other bits or too many `=` at its end")
    name, rest = _cut(blob)
    kind = name.decode("ascii")
    kind = next((one for one, others in SIGNATURES.items() if kind in others), kind)
    if not _KIND.fullmatch(kind):
        raise ValueError("it has no type")
    if kind in _NUMBERS:
        rest = _numbers(rest, _NUMBERS[kind])
    blob = _string(kind.encode()) + rest
    if kind == "ssh-rsa":
        if _rsa_bits(blob) not in _RSA_READABLE_BITS:
            raise ValueError("its number is too short or too long")
    elif kind in KINDS:
        _check_elliptic(kind, rest)
    return kind, base64.b64encode(blob).decode()


def problem_of(kind: str, key: str) -> str:
    """Say why no node lets in a key of this type and base64 text; empty when nodes do."""
    if "-cert-v" in kind:
        return "a certificate of a key, not the key"
    if kind not in KINDS:
        return f"an {kind} key; nodes take Ed25519, ECDSA and RSA keys"
    bits = _rsa_bits(base64.b64decode(key)) if kind == "ssh-rsa" else _RSA_BITS
    return "" if bits >= _RSA_BITS else f"an RSA key of {bits} bits; nodes want {_RSA_BITS}"


def _check_elliptic(kind: str, rest: bytes) -> None:
    """Check an Ed25519 or ECDSA key; one on a token has a string more.

    Raises:
        ValueError: for what is no key.
    """
    curve = b""
    if KINDS[kind]:
        curve, rest = _cut(rest)
    body, rest = _cut(rest)
    if kind.startswith("sk-"):
        _, rest = _cut(rest)
    if rest or curve.decode() != KINDS[kind]:
        raise ValueError("it is of another curve, or something stands behind it")
    if curve:
        _check_point(KINDS[kind], body)
    elif len(body) != _ED25519_BYTES:
        raise ValueError("it is not 32 bytes long")


def _check_point(curve: str, point: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 -- seldom needed

    kinds = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
    if point[:1] != b"\4":
        raise ValueError("sshd takes no compressed point")
    ec.EllipticCurvePublicKey.from_encoded_point(kinds[curve], point)


def _rsa_bits(blob: bytes) -> int:
    """Compute the length of an RSA key, whose last number is the modulus."""
    for _ in range(2):
        _, blob = _cut(blob)
    return int.from_bytes(_cut(blob)[0], "big").bit_length()


def _cut(blob: bytes) -> tuple[bytes, bytes]:
    """Cut off the string that a key begins with."""
    end = 4 + int.from_bytes(blob[:4], "big")
    if end > len(blob):
        raise ValueError("it ends too early")
    return blob[4:end], blob[end:]


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _numbers(rest: bytes, count: int) -> bytes:
    """Write positive numbers with no more zeros before them than needed."""
    written = b""
    for _ in range(count):
        number, rest = _cut(rest)
        if number[:1] >= b"\x80":
            raise ValueError("it is negative")
        digits = number.lstrip(b"\0")
        written += _string(b"\0" + digits if digits[:1] >= b"\x80" else digits)
    if rest:
        raise ValueError("something stands behind its numbers")
    return written
