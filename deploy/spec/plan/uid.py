"""The number of an app: its user id, and its place among networks."""

from zlib import crc32

FIRST_UID = 20_000
_UIDS = 20_000


def app_uid(app: str) -> int:
    """Choose the user id of an app: the same on every node, between 20000 and 39999."""
    return FIRST_UID + crc32(app.encode()) % _UIDS
