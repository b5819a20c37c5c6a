"""A failed start is explained by what servers of every language write."""

import re
import subprocess
from collections.abc import Callable

import pytest

from deploy.node.script import scripts

pytestmark = pytest.mark.program
_FUNCTION = re.compile(r"^refused_port\(\) \{\n(?:.*\n)*?^\}$", re.MULTILINE)
PYTHON = """Traceback (most recent call last):
  File "/usr/lib/python3.13/socketserver.py", line 478, in server_bind
    self.socket.bind(self.server_address)
PermissionError: [Errno 13] Permission denied"""


@pytest.fixture
def is_refused(program: Callable[[str], str]) -> Callable[[str], bool]:
    """Judge what an app has written, by the function of the script."""
    found = _FUNCTION.search(scripts()["prove-slot"].read_text(encoding="utf-8"))
    assert found
    journal = 'unit=x log=$1; journalctl() { [ "$1" = --sync ] || printf "%s" "$log"; }\n'
    script = f"{journal}{found[0]}\nrefused_port"

    def judge(log: str) -> bool:
        words = [program("bash"), "-euo", "pipefail", "-c", script, "x", log]
        return subprocess.run(words, check=False).returncode == 0

    return judge


@pytest.mark.parametrize(
    "log",
    [
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        "Error: listen EACCES: permission denied 0.0.0.0:80",
        "listen tcp :80: bind: permission denied",
        "(13)Permission denied: AH00072: make_sock: could not bind to address 0.0.0.0:80",
        "connection to ('0.0.0.0', 80) failed: [Errno 13] Permission denied",
        "java.net.BindException: Permission denied (Bind failed)",
        PYTHON,
    ],
)
def test_a_port_that_the_kernel_refuses_is_recognised(
    log: str, is_refused: Callable[[str], bool]
) -> None:
    assert is_refused(log)


@pytest.mark.parametrize(
    "log", ["open /var/lib/shop: permission denied", "bind: address already in use", ""]
)
def test_another_failure_is_not_taken_for_it(log: str, is_refused: Callable[[str], bool]) -> None:
    assert not is_refused(log)
