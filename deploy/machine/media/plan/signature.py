"""Judge gpgv's report of the signature of a Fedora CoreOS image."""

import base64

# https://fedoraproject.org/security: the fingerprint of each release's signing key.
FEDORA_KEYS = {
    "43": "C6E7F081CF80E13146676E88829B606631645531",
    "44": "36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6",
    "45": "4F50A6114CD5C6976A7F1179655A4B02F577861E",
    "46": "D924B10D3E810DABDD8B56B596E7E91491211FCE",
}
_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


def refusal(status: str, *, fingerprint: str, release: str) -> str:
    """Say why a signature is not that of a release by the pinned key; empty if it is.

    gpgv itself accepts every key of its keyring, revoked and expired ones too.
    """
    lines = [line.split() for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    good = [line for line in lines if line[1] == "GOODSIG"]
    valid = [line for line in lines if line[1] == "VALIDSIG"]
    if len(good) != 1 or len(valid) != 1:
        return f"no single good signature ({', '.join(line[1] for line in lines) or 'none'})"
    key, day = valid[0][-1], valid[0][3].replace("-", "")
    if key != fingerprint:
        return f"signed by the key {key}, not by {fingerprint}"
    # The metadata could name an old image as a new release; the day is signed.
    if day < release.split(".")[1]:
        return f"signed on {valid[0][3]}, before the release {release}"
    return ""


def binary_keyring(keys: bytes) -> bytes:
    """Turn armored keys into the form that gpgv reads."""
    blocks = []
    for block in keys.replace(b"\r", b"").split(_BEGIN)[1:]:
        body = block.partition(b"-----END")[0].partition(b"\n\n")[2].partition(b"\n=")[0]
        try:
            blocks.append(base64.b64decode(body))
        except ValueError:
            return keys
    return b"".join(blocks) or keys
