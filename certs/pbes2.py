"""The PBES2 envelope of an encrypted PKCS#8 key, with a number of rounds that we choose.

cryptography's own writer always emits 2,048 rounds and offers no way to ask for more; its reader
takes any count. So the envelope (RFC 5958 around RFC 8018, appendix A) is written here, with the
library's own derivation, cipher and DER.
"""

from dataclasses import dataclass

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.x509 import ObjectIdentifier

_PBES2 = ObjectIdentifier("1.2.840.113549.1.5.13")
_PBKDF2 = ObjectIdentifier("1.2.840.113549.1.5.12")
_HMAC_SHA256 = ObjectIdentifier("1.2.840.113549.2.9")
_AES256_CBC = ObjectIdentifier("2.16.840.1.101.3.4.1.42")
_KEY_BYTES = 32
_BLOCK_BYTES = 16


@asn1.sequence
class _Prf:
    algorithm: ObjectIdentifier
    parameters: asn1.Null


@asn1.sequence
class _Pbkdf2Parameters:
    salt: bytes
    rounds: int
    prf: _Prf


@asn1.sequence
class _Derivation:
    algorithm: ObjectIdentifier
    parameters: _Pbkdf2Parameters


@asn1.sequence
class _Encryption:
    algorithm: ObjectIdentifier
    iv: bytes


@asn1.sequence
class _Pbes2Parameters:
    derivation: _Derivation
    encryption: _Encryption


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: _Pbes2Parameters


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: _Algorithm
    content: bytes


@dataclass(frozen=True, slots=True)
class Protection:
    """How a key file is protected. `rounds` is PBKDF2's iteration count."""

    rounds: int
    salt: bytes
    iv: bytes


def seal(plain: bytes, password: bytes, protection: Protection) -> bytes:
    """Encrypt a DER PrivateKeyInfo: PBKDF2-HMAC-SHA256, then AES-256-CBC; the answer is DER."""
    derived = PBKDF2HMAC(SHA256(), _KEY_BYTES, protection.salt, protection.rounds).derive(password)
    padder = padding.PKCS7(_BLOCK_BYTES * 8).padder()
    encryptor = Cipher(algorithms.AES256(derived), modes.CBC(protection.iv)).encryptor()
    content = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return asn1.encode_der(_envelope(protection, content))


def read_protection(der: bytes) -> Protection:
    """Read the parameters of an envelope; raise ValueError if it is of another type."""
    algorithm = asn1.decode_der(_EncryptedPrivateKeyInfo, der).algorithm
    derivation, encryption = algorithm.parameters.derivation, algorithm.parameters.encryption
    found = (
        algorithm.algorithm,
        derivation.algorithm,
        derivation.parameters.prf.algorithm,
        encryption.algorithm,
    )
    if found != (_PBES2, _PBKDF2, _HMAC_SHA256, _AES256_CBC):
        raise ValueError(f"encrypted with {', '.join(oid.dotted_string for oid in found)}")
    parameters = derivation.parameters
    return Protection(parameters.rounds, parameters.salt, encryption.iv)


def _envelope(protection: Protection, content: bytes) -> _EncryptedPrivateKeyInfo:
    prf = _Prf(algorithm=_HMAC_SHA256, parameters=asn1.Null())
    derivation = _Derivation(
        algorithm=_PBKDF2,
        parameters=_Pbkdf2Parameters(salt=protection.salt, rounds=protection.rounds, prf=prf),
    )
    encryption = _Encryption(algorithm=_AES256_CBC, iv=protection.iv)
    parameters = _Pbes2Parameters(derivation=derivation, encryption=encryption)
    algorithm = _Algorithm(algorithm=_PBES2, parameters=parameters)
    return _EncryptedPrivateKeyInfo(algorithm=algorithm, content=content)
