"""Keys and certificates for tests, made by the openssl program."""

from __future__ import annotations

import subprocess
from pathlib import Path

PASSWORD = "pärola with a space"


def issue(folder: Path, *, name: str = "localhost", password: str = PASSWORD) -> None:
    """Write server.crt, server.key.enc, cert_pass and, for comparison, plain.key."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cert_pass").write_text(password + "\n", encoding="utf-8")
    subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    _openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "plain.key", "-out", "server.crt", "-days", "2", *subject,
    )  # fmt: skip
    _openssl(
        folder, "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", "plain.key",
        "-out", "server.key.enc", "-passout", "file:cert_pass",
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ("openssl", *arguments), cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
