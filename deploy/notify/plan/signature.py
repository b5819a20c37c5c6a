"""Sign a message as the Standard Webhooks specification has it: HMAC of id, time and body."""

import base64
import binascii
import hashlib
import hmac

from deploy.errors import DeployError

_ENCODED = "whsec_"


def headers(key: str, number: str, at: int, body: bytes) -> dict[str, str]:
    """Give the headers that prove a body's origin and time; without a key they only name both.

    Raises:
        DeployError: when the key is encoded, and not in Base64.
    """
    found = {"webhook-id": number, "webhook-timestamp": str(at)}
    if key:
        signed = f"{number}.{at}.".encode() + body
        mac = hmac.digest(_key(key), signed, hashlib.sha256)
        found["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    return found


def _key(text: str) -> bytes:
    """Read a key: `whsec_` and Base64, or the text itself."""
    if not text.startswith(_ENCODED):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(_ENCODED), validate=True)
    except binascii.Error as error:
        raise DeployError(
            "NOTIFY_KEY begins with whsec_, and what follows is not Base64",
            "copy it from the receiver, or choose a text of your own",
        ) from error
