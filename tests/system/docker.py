"""A Docker daemon of Debian's for one test, fetched into the cache without being installed."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.debian import fetched

_DEBS = ("docker.io", "containerd", "runc")
_PATIENCE_SECONDS = 60
_OPTIONS = ("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs")


@contextmanager
def docker(folder: Path) -> Iterator[dict[str, str]]:
    """Run a daemon with all it has below a folder; lend the environment that reaches it."""
    tree = fetched("docker", _DEBS, "usr/sbin/dockerd")
    # A socket's path has at most 104 bytes.
    with tempfile.TemporaryDirectory(prefix="docker-", dir="/run") as short:
        path = f"{tree / 'usr/bin'}:{tree / 'usr/sbin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "DOCKER_HOST": f"unix://{short}/docker.sock"}
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(
                # What it mounts is gone with it, however it ends.
                [
                    *("unshare", "--mount", tree / "usr/sbin/dockerd"),
                    f"--host={environment['DOCKER_HOST']}",
                    f"--data-root={folder / 'data'}",
                    f"--exec-root={short}/exec",
                    f"--pidfile={short}/pid",
                    *_OPTIONS,
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            _await(daemon, environment, folder / "log")
            yield environment
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(_PATIENCE_SECONDS)


def _await(daemon: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    asked = ["docker", "version"]
    while subprocess.run(asked, env=environment, capture_output=True, check=False).returncode:
        assert daemon.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
