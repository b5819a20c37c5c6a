"""A node's status page: verified, unpacked within bounds, and how old it is."""

import base64
import binascii
import zlib
from typing import Annotated

from cryptography import x509
from pydantic import Field

from certs.envelope import has_signed
from deploy.errors import DeployError
from deploy.node.answer import Count, OneLine, Seconds, read_answer
from deploy.node.schema import Versioned

# What is fetched at most, and what is in it at most.
MOST_BYTES = 1 << 20
_MOST_UNPACKED = 16 << 20
_LONGEST_SIGNATURE = 2048
_GZIP = 31
_PERIODS = 2
_SKEW_SECONDS = 300


class Page(Versioned):
    """What a node tells of itself: answers of scripts by their command, made at `at`.

    It makes another one every `every_seconds`.
    """

    noun = "status page"
    at: Seconds
    every_seconds: Annotated[int, Field(ge=1, le=86_400)]
    failed_units: tuple[OneLine, ...]
    memory_available_bytes: Count
    answers: dict[str, str]

    def trouble(self, now: float) -> str:
        """Say why the page does not tell how the node is now; empty where it does."""
        age = int(now) - self.at
        if age > _PERIODS * self.every_seconds:
            return (
                f"its status page is {_span(age)} old, and it makes one every "
                f"{_span(self.every_seconds)}: it is down, cut off, or fails to make one"
            )
        if age < -_SKEW_SECONDS:
            return f"its status page is of a time {_span(-age)} ahead: its clock is wrong, or ours"
        return ""


def read_page(signed: bytes, certificate: x509.Certificate) -> Page:
    """Read a page that a node's key has signed.

    Raises:
        DeployError: when another key has signed it, or it cannot be read.
    """
    line, _, packed = signed.partition(b"\n")
    if len(line) > _LONGEST_SIGNATURE or not has_signed(certificate, _decoded(line), packed):
        raise DeployError(
            "the status page is not signed by the key that is pinned for this node",
            "another machine, or a man in the middle, may answer; after the machine was made "
            "again, pin its new key: `fab enrol`",
        )
    return read_answer(Page, _unpacked(packed), "the node's status page")


def _decoded(line: bytes) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return b""


def _unpacked(packed: bytes) -> str:
    """Decompress within bounds: a compromised node must not fill our memory."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(packed, _MOST_UNPACKED)
        if unpacker.eof:
            return text.decode()
    except (zlib.error, UnicodeDecodeError):
        pass
    raise DeployError(
        f"the node's status page cannot be unpacked to at most {_MOST_UNPACKED} bytes",
        "look at it on the node's console: `systemctl status corefab-status`",
    )


def _span(seconds: int) -> str:
    """Write a time in the unit that people would use."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
