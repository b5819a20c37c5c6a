"""Measure what one login saves, and what it carries, on a rehearsal node: `make bench-login`.

An older commit, which logged in once more for rsync by the system's ssh, is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.ending import ending_whole
from deploy.node.login import connect
from deploy.node.target import Target
from tests.root import ROOT
from tests.system.project import Project, make_project

RESULT = Path(__file__).with_name("results") / "login.txt"
BASELINE = "0e68605"
ROUNDS, DEPLOYS = 20, 6
_BYTES = 1 << 30
# Prints the seconds of each sending of one small file; run in a folder with the code to measure.
_FILES = """
import json, sys, time
from collections.abc import Callable
from pathlib import Path
from deploy.node.bulk import send_files
from deploy.node.login import connect
from deploy.node.target import Target
target = Target(sys.argv[1], None, "core", Path("id"), Path("certs/known_hosts"))
took = []
with connect(target, None) as remote:
    for _ in range(int(sys.argv[2])):
        began = time.monotonic()
        into, like = "/var/tmp/bench", "/var/tmp/none"
        send_files(remote, Path("files"), {"a": 0o644}, into=into, like=like)
        took.append(time.monotonic() - began)
print(json.dumps(took))
"""


def main() -> None:
    """Measure, print and write the result."""
    options = argparse.ArgumentParser()
    options.add_argument("--baseline", default=BASELINE)
    baseline = options.parse_args().baseline
    with tempfile.TemporaryDirectory(prefix="corefab-bench-", dir="/var/tmp") as place:
        ours = make_project(
            Path(place) / "ours",
            "benchlogin",
            IMAGE="localhost/corefab-benchlogin:latest",
            CERT_PASSWORD="bench-only-1",  # noqa: S106 -- of a throwaway key
            SMTP_PASSWORD="bench-only-2",  # noqa: S106
            SETTLE_SECONDS="0",
        )
        try:
            for command in ("sample-build", "cert-issue", "prepare --yes", "rehearsal-up"):
                ours.must(*command.split())
            ours.must("deploy", "--first")
            lines = _measured(ours, _older(ours, baseline), baseline)
        finally:
            ours.node_down()
    RESULT.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _older(ours: Project, commit: str) -> Project:
    """Make a folder for the same node with the code of an older commit."""
    folder = ours.folder.with_name("older")
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    for name in ("id", "id.pub", "build", "certs/material", "certs/known_hosts"):
        copy = shutil.copytree if (ours.folder / name).is_dir() else shutil.copy2
        shutil.rmtree(folder / name, ignore_errors=True)
        copy(ours.folder / name, folder / name)
    lines = (ours.folder / ".env").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("NODE_ADDRESS=")]
    text = "\n".join([*lines, f"NODE_ADDRESS={ours.node.address}", ""])
    (folder / ".env").write_text(text, encoding="utf-8")
    (folder / ".env").chmod(0o600)
    return Project(folder, ours.settings)


def _measured(ours: Project, older: Project, commit: str) -> list[str]:
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    ways = {"one login": ours, f"two clients ({commit})": older}
    for name, project in ways.items():
        took = _file_seconds(project, str(ours.node.address))
        say(f"{name}: a changed project file sent in {statistics.median(took):.3f} s (median of "
            f"{len(took)}, {min(took):.3f} to {max(took):.3f})")  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    logins: dict[str, list[int]] = {name: [] for name in ways}
    for number in range(DEPLOYS):
        for name, project in ways.items():
            file = project.folder / "container/sample/files/bench.txt"
            file.write_text(f"{name} {number}", encoding="utf-8")
            before, began = _logins(ours), time.monotonic()
            project.must("deploy")
            seconds[name].append(time.monotonic() - began)
            # Counting them is a login too.
            logins[name].append(_logins(ours) - before - 1)
    for name in ways:
        say(f"{name}: deploy of a changed project file {statistics.median(seconds[name]):.2f} s "
            f"(of {DEPLOYS}), logins {min(logins[name])} to {max(logins[name])}")  # fmt: skip
    for name, speed in _speeds(ours).items():
        say(f"1 GiB to the node, {name}: {speed / 1e6:.0f} MB/s")
    return lines


def _file_seconds(project: Project, address: str) -> list[float]:
    (project.folder / "files").mkdir(exist_ok=True)
    (project.folder / "files/a").write_text("a", encoding="utf-8")
    words = [sys.executable, "-c", _FILES, address, str(ROUNDS)]
    done = subprocess.run(words, cwd=project.folder, check=True, capture_output=True)
    return [float(one) for one in json.loads(done.stdout)]


def _logins(project: Project) -> int:
    return int(project.ssh("journalctl -q | grep -c 'Accepted publickey'"))


def _speeds(project: Project) -> dict[str, float]:
    """Measure both clients in turn, three times each, and take the best."""
    best = {"over the open connection": 0.0, "by the system's ssh": 0.0}
    key, pins = project.folder / "id", project.folder / "certs/known_hosts"
    address = str(project.node.address)
    options = ["-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={pins}"]
    words = ["ssh", *options, f"core@{address}", "cat >/dev/null"]
    for _ in range(3):
        with connect(Target(address, None, "core", key, pins), None) as remote:
            speed = _speed(lambda source: remote.relay("cat >/dev/null", source, 1, 2))
        best["over the open connection"] = max(best["over the open connection"], speed)
        speed = _speed(lambda source: subprocess.run(words, stdin=source, check=True))
        best["by the system's ssh"] = max(best["by the system's ssh"], speed)
    return best


def _speed(send: Callable[[int], object]) -> float:
    words = ["head", "-c", str(_BYTES), "/dev/zero"]
    began = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE) as zeros:
        send(zeros.stdout.fileno() if zeros.stdout else 0)
    return _BYTES / (time.monotonic() - began)


if __name__ == "__main__":
    with ending_whole():
        main()
