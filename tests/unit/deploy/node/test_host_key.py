"""A fingerprint is computed from a line of known_hosts."""

import paramiko

from deploy.node.host_key import fingerprint_of, key_line


def test_a_fingerprint_is_computed_from_a_line() -> None:
    key = paramiko.ECDSAKey.generate()

    assert fingerprint_of(f"{key_line(key)} root@web1") == key.fingerprint
