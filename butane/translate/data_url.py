"""Encode bytes as the shortest data URL, and decode data URLs."""

import base64
import binascii
import re
import struct
import zlib
from urllib.parse import quote_from_bytes, unquote_to_bytes

_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()"
_BASE64 = ";base64,"
_GZIP = "gzip"
_CARRIED_LIMIT = 64 * 1024 * 1024
_CLOSE = 32  # closer than this, zlib and Go's gzip may differ
_GZIP_HEADER = bytes.fromhex("1f8b08000000000002ff")  # no name, no time, as Go writes it

_TYPE = r"(?:(?:text|image|audio|video|application|message|multipart)TOKEN*|[xX]-TOKEN*)/TOKEN*"
_VALUE = r"(?:\"(?:[\x00-!#-\[\]-\x7f]|\\[\x00-\x7f])*\"|TOKEN+)"
_WORD = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]"
_HEAD = re.compile(
    f"data:(?:{_TYPE})?(?P<params>(?:;TOKEN+={_VALUE})*)(?P<base64>;base64)?,".replace(
        "TOKEN", _WORD
    )
)
_URL_TEXT = re.compile(r"(?:[!$&'()*+,\-./0-9:;=?@A-Z_a-z~]|%[0-9a-fA-F]{2})*")
_BASE64_TEXT = re.compile(r"[0-9A-Za-z+/\n]*={0,2}\n*")


def pack(data: bytes, *, may_compress: bool = True) -> tuple[str, str]:
    """Make the shortest URL of percent-encoding, base64, and gzip in base64; name a compression.

    Gzip has to be shorter by more than the four letters of its name, as in Butane.
    """
    escaped = 1 + len(data) + 2 * len(data.translate(None, _PLAIN))
    encoded = _base64_length(data)
    if may_compress:
        packed = _gzip(data, zlib.Z_FINISH)
        most = min(escaped, encoded) - len(_GZIP)
        gain = most - _base64_length(packed)
        if 0 < gain < _CLOSE:
            gain = most - _base64_length(_gzip(data, zlib.Z_SYNC_FLUSH))
        if gain > 0:
            return _base64_url(packed), _GZIP
    return _base64_url(data) if encoded < escaped else percent_url(data), ""


def percent_url(data: bytes) -> str:
    """Encode bytes with percent-encoding."""
    return "data:," + quote_from_bytes(data, safe="!*'()")


def _base64_url(data: bytes) -> str:
    return f"data:{_BASE64}{base64.b64encode(data).decode()}"


def _base64_length(data: bytes) -> int:
    return len(_BASE64) + 4 * -(-len(data) // 3)


def _gzip(data: bytes, end: int) -> bytes:
    """Compress; a sync flush ends with as many bytes as Go writes, but is not a valid end."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeeze.compress(data) + squeeze.flush(end)
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return _GZIP_HEADER + body + trailer


def unpack(url: str) -> bytes | None:
    """Read the bytes of a data URL; None when it is malformed."""
    head = _HEAD.match(url)
    if head is None:
        return None
    body = url[head.end() :]
    if not head["base64"]:
        return unquote_to_bytes(body) if _URL_TEXT.fullmatch(body) else None
    if not _BASE64_TEXT.fullmatch(body):
        return None
    try:
        return base64.b64decode(body.replace("\n", ""), validate=True)
    except binascii.Error:
        return None


def carried(source: str, compression: str = "") -> bytes | None:
    """Decode the content of a resource of an Ignition config; None for a link or malformed data.

    At most 64 MiB are decompressed.
    """
    data = unpack(source)
    return data if data is None or compression != _GZIP else inflate(data, _CARRIED_LIMIT)


def inflate(data: bytes, limit: int) -> bytes | None:
    """Decompress gzip up to a limit in bytes; None when it is not gzip or longer than that."""
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        result = stream.decompress(data, limit + 1)
    except zlib.error:
        return None
    return result if stream.eof and len(result) <= limit else None
