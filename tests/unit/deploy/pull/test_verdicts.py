"""What skopeo says decides whether an image, the registry or the node is to blame."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.node.script import script_text

pytestmark = pytest.mark.program
FUNCTIONS = ("said", "end_unread")
FAKES = """
work=. reference=registry.example.org/shop/www:live
end() { echo "$1"; exit; }
end_node_fault() { end node-fault; }
"""
SAID = {
    "unreachable": (
        'Get "https://192.0.2.1:5000/v2/": dial tcp 192.0.2.1:5000: connect: connection refused',
        'Get "https://192.0.2.1:5000/v2/": dial tcp 192.0.2.1:5000: connect: no route to host',
        'Get "https://192.0.2.1:5000/v2/": dial tcp 192.0.2.1:5000: i/o timeout',
        "dial tcp: lookup registry.example.org on 192.0.2.53:53: no such host",
        "dial tcp: lookup registry.example.org: Temporary failure in name resolution",
        "pinging container registry registry.example.org: net/http: TLS handshake timeout",
        "writing blob: storing blob to file: read tcp 192.0.2.2: read: connection reset by peer",
        "writing blob: storing blob to file: happened during read: unexpected EOF",
        "reading manifest live: received unexpected HTTP status: 503 Service Unavailable",
        "reading manifest live: toomanyrequests: too many requests",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "registry.example.org/shop/www:live: timeout: not read within 3600 s",
        "",
    ),
    "refused": (
        "Source image rejected: A signature was required, but no signature exists",
        "Source image rejected: cryptographic signature verification failed: invalid signature",
        "reading manifest live in registry.example.org/shop/www: manifest unknown",
        "reading manifest live in registry.example.org/shop/www: name unknown",
        "unable to retrieve auth token: invalid username/password: unauthorized: no",
        "reading manifest live: requested access to the resource is denied",
    ),
    "no-room": (
        "writing blob: storing blob to file: write /var/x: no space left on device",
        "committing the finished image: unpacking failed: No space left on device",
    ),
    "node-fault": (
        "committing the finished image: saving image: read-only file system",
        "initializing destination containers-storage:localhost/www:pulled: permission denied",
        "writing blob: adding layer with blob: layer does not match its digest",
    ),
}


@pytest.mark.parametrize(
    ("verdict", "text"), [(verdict, text) for verdict, texts in SAID.items() for text in texts]
)
def test_what_skopeo_says_has_a_verdict(
    tmp_path: Path, program: Callable[[str], str], verdict: str, text: str
) -> None:
    wanted = rf"^(?:{'|'.join(FUNCTIONS)})\(\) \{{(?:.*\}}$|\n(?:.*\n)*?^\}}$)"
    functions = re.findall(wanted, script_text("pull"), re.MULTILINE)
    assert len(functions) == len(FUNCTIONS)
    level = "" if not text else f'time="2026-12-01T00:00:00Z" level=fatal msg="{text}"\n'
    (tmp_path / "said").write_text(level)

    script = "\n".join(("set -euo pipefail", *functions, FAKES, "end_unread"))
    done = subprocess.run(
        [program("bash"), "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{verdict}\n"
