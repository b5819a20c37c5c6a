"""Where the TLS files are: the paths of the unit, or what the environment says instead."""

from __future__ import annotations

from collections.abc import Mapping

from container.entrypoint.key import KeyFiles


def key_files(environment: Mapping[str, str]) -> KeyFiles:
    """Read TLS_CERT, TLS_KEY_ENC, CERT_PASS_FILE and TLS_RUN_DIR, all paths."""
    usual = KeyFiles()
    return KeyFiles(
        certificate=environment.get("TLS_CERT", usual.certificate),
        encrypted=environment.get("TLS_KEY_ENC", usual.encrypted),
        password=environment.get("CERT_PASS_FILE", usual.password),
        folder=environment.get("TLS_RUN_DIR", usual.folder),
    )
