"""Keys of a node and of its operators, status pages, and a server that shows some."""

import base64
import contextlib
import functools
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from certs.envelope import read_certificates, self_signed
from certs.keyfile import encrypt, new_key
from certs.store import write_public, write_secret
from deploy.app.tls import material
from deploy.project import Project
from tests.unit.deploy.examples import AUTHORITY_PASSWORD, NOW

AT = int(NOW.timestamp())
PLAIN = {
    "schema_version": 1,
    "at": AT,
    "every_seconds": 300,
    "failed_units": [],
    "memory_available_bytes": 2 * 10**9,
    "answers": {},
}


@dataclass(frozen=True)
class Holder:
    """An RSA key and its certificate."""

    key: rsa.RSAPrivateKey
    pem: bytes

    @property
    def certificate(self) -> x509.Certificate:
        return read_certificates(self.pem, source="test")[0]

    def sign(self, packed: bytes) -> bytes:
        """Write what the node encrypts: a line with a signature, and what is signed."""
        signature = self.key.sign(packed, PKCS1v15(), SHA256())
        return base64.b64encode(signature) + b"\n" + packed

    def seal(self, signed: bytes) -> bytes:
        """Encrypt to this key, as the node does to an operator's."""
        made = pkcs7.PKCS7EnvelopeBuilder().set_data(signed).add_recipient(self.certificate)
        made = made.set_content_encryption_algorithm(AES256)
        return made.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


@functools.cache
def holder(name: str) -> Holder:
    """Make the key of someone, once."""
    key = new_key("rsa-2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    return Holder(key, self_signed(key, name, now=NOW))


def packed(**changes: object) -> bytes:
    """Write a page as the node signs it."""
    return gzip.compress(json.dumps(PLAIN | changes).encode())


def give_keys(project: Project, *, operator: str = "operator") -> None:
    """Pin the node's key here, and have an operator's."""
    own = holder(operator)
    write_public(project.node_certificate, holder("node").pem)
    write_public(project.operator, own.pem)
    write_secret(material(project).operator_key, encrypt(own.key, AUTHORITY_PASSWORD.encode()))


def answering(status: str, body: bytes = b"") -> Callable[[socket.socket], None]:
    """Answer a request with a page."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\nServer: x\r\n\r\n".encode() + body)

    return answer


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve on the loopback interface until the block ends; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, answer))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            answer(connection)
