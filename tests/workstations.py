"""`make test-workstations`: try the project on other workstations, and write down what ran.

Each is a Debian root file system that systemd-nspawn enters, with the network of this machine. The
tests that need no rehearsal node run in it; then each engine's image is deployed to a node that
this machine started. This machine's other Pythons run the tests that need no programs: those are
the same for each. The table goes to docs/workstations.md.
"""

import hashlib
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.console import output
from rehearsal import cgroup, places, stock
from tests.images import remove_images
from tests.root import ROOT
from tests.system.project import Project, make_project

PAGE = ROOT / "docs/workstations.md"
SYSTEMS = {"bookworm": "Debian 12", "trixie": "Debian 13", "forky": "Debian forky"}
# Pythons that no system here brings are taken from this machine, where it has them.
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
PACKAGES = (
    *("systemd", "procps", "sudo", "util-linux", "iproute2", "git", "make", "xz-utils", "gnupg"),
    *("python3", "python3-venv", "openssh-client", "openssh-server", "rsync", "zstd", "curl"),
    *("openssl", "ca-certificates", "jq", "podman", "netavark", "uidmap", "docker.io"),
)
# Where Debian's docker.io is the daemon alone.
CLIENT = {"trixie": ("docker-cli",), "forky": ("docker-cli",)}
TESTS = "not (node or parity or install or vm or stress or slow)"
PROJECT = "workstations"
IMAGE = "localhost/corefab-workstations:latest"
COLLEAGUE = 1000
# What this machine's pip needs of the environment, pip in there needs, too.
_PASSED = ("PIP_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_LONGEST = 3600

PODMAN = """
# Podman's database keeps the name of the driver, and what it keeps at run time is of one boot.
CONTAINERS_STORAGE_CONF=$HOME/storage.conf XDG_RUNTIME_DIR=$(mktemp -d)
export CONTAINERS_STORAGE_CONF XDG_RUNTIME_DIR XDG_DATA_HOME=$HOME/data-$1 USER=$(id -un)
printf '[storage]\\ndriver = "%s"\\nrunroot = "%s"\\ngraphroot = "%s"\\n' \\
  "$1" "$XDG_RUNTIME_DIR/$1" "$HOME/$1" >"$CONTAINERS_STORAGE_CONF"
podman load -qi image.tar >/dev/null
[ "$(podman info --format '{{.Store.GraphDriverName}}')" = "$1" ]
"""
DOCKER = """
export DOCKER_HOST=unix:///run/docker.sock
options=(--iptables=false --ip6tables=false --ip-forward=false --bridge=none)
options+=(--data-root="$HOME/docker-$1")
case $1 in
  containerd)
    echo '{"features": {"containerd-snapshotter": true}}' >"$HOME/daemon.json"
    options+=(--config-file="$HOME/daemon.json")
    ;;
  *) options+=(--storage-driver="$1") ;;
esac
dockerd "${options[@]}" >"$HOME/dockerd.log" 2>&1 &
trap 'kill %1; wait' EXIT
until docker version >/dev/null 2>&1; do kill -0 %1; sleep 0.2; done
docker load -qi image.tar >/dev/null
"""
DEPLOY = """
export IMAGE=$2
/venv/bin/fab deploy
/venv/bin/fab deploy | grep -q 'nothing to do'
/venv/bin/fab image-verify
"""
REFUSED = """
! IMAGE=$2 /venv/bin/fab plan >refused 2>&1
grep -q 'containerd image store' refused
docker save "${2#docker-daemon:}" -o saved.tar
set -- "$1" docker-archive:saved.tar
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """What keeps the image: a title, a script that loads it with its word, and IMAGE."""

    title: str
    script: str
    word: str
    image: str = IMAGE
    rootless: bool = False


ENGINES = (
    Engine("podman, root, overlay", PODMAN, "overlay"),
    Engine("podman, root, vfs", PODMAN, "vfs"),
    Engine("podman, rootless, overlay", PODMAN, "overlay", rootless=True),
    Engine("podman, rootless, vfs", PODMAN, "vfs", rootless=True),
    Engine("Docker, vfs", DOCKER, "vfs", f"docker-daemon:{IMAGE}"),
    Engine("Docker, overlay2", DOCKER, "overlay2", f"docker-daemon:{IMAGE}"),
    Engine("Docker, containerd store", DOCKER + REFUSED, "containerd", f"docker-daemon:{IMAGE}"),
)


@dataclass(frozen=True, slots=True)
class Workstation:
    """A root file system that can be entered, and the folders that it shares with this machine."""

    name: str
    root: Path
    folder: Path

    def run(self, script: str, *words: str, user: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a script of bash in the shared folder; a failure is not raised."""
        home = "/root" if user == 0 else "/home/colleague"
        passed = [f"--setenv={key}" for key in os.environ if key.startswith(_PASSED)]
        entered = [
            *("systemd-nspawn", "--quiet", "--register=no", "--as-pid2", "--console=pipe"),
            *([] if cgroup.systemd_runs_here() else ["--keep-unit"]),
            *("--capability=all", "--system-call-filter=@keyring bpf", "--resolv-conf=copy-host"),
            *(f"--directory={self.root}", f"--overlay={ROOT}::/src", f"--bind={self.folder}"),
            *("--bind-ro=/etc/ssl/certs", f"--chdir={self.folder}", f"--setenv=HOME={home}"),
            *passed,
        ]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        shell = ["bash", "-euo", "pipefail", "-c", script, "bash", *words]
        return subprocess.run(
            [*entered, "--", *(become if user else []), *shell],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_LONGEST,
            check=False,
        )


def workstation(suite: str, folder: Path) -> Workstation:
    """Enter a system; build it, and its Python packages, where they are not in the cache."""
    packages = PACKAGES + CLIENT.get(suite, ())
    digest = hashlib.sha256(repr((suite, packages)).encode()).hexdigest()[:8]
    root = places.cache() / f"workstation-{suite}-{digest}"
    if not root.is_dir():
        output.say(f"building {SYSTEMS[suite]}")
        options = ('Acquire::Check-Valid-Until "false"', 'APT::Install-Recommends "false"')
        words = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
        words += [f"--include={','.join(packages)}", *(f"--aptopt={one}" for one in options)]
        words += [f"--dpkgopt=path-exclude={pattern}" for pattern in stock.EXCLUDED]
        building = root.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        subprocess.run([*words, suite, building], check=True)
        building.rename(root)
    made = Workstation(SYSTEMS[suite], root, folder)
    require(made.run("id colleague 2>/dev/null || useradd -m -u $1 colleague", str(COLLEAGUE)))
    require(made.run(VENV))
    return made


VENV = """
cmp -s /src/requirements.lock /venv/made && exit
rm -rf /venv
python3 -m venv /venv
/venv/bin/pip install -q --disable-pip-version-check --require-hashes -r /src/requirements.lock
cp /src/requirements.lock /venv/made
"""


def require(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a script printed; end with it where the script failed."""
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    return done.stdout


def result(done: subprocess.CompletedProcess[str], log: Path) -> str:
    """Say in a word how a try ended; what it printed goes to a log."""
    with log.open("a") as file:
        file.write(f"{shlex.join(map(str, done.args))}\n{done.stdout}\n")
    return "passed" if done.returncode == 0 else f"failed, see {log}"


def tested(done: subprocess.CompletedProcess[str], log: Path) -> str:
    """Say how many tests passed."""
    said = result(done, log)
    counts = re.findall(r"^(\d+ passed.*) in [\d.]+s", done.stdout, re.MULTILINE)
    return str(counts[-1]) if said == "passed" else said


@contextmanager
def node(folder: Path) -> Iterator[Project]:
    """Start a node that the sample app is deployed to."""
    password = secrets.token_urlsafe(24)
    project = make_project(folder, PROJECT, IMAGE=IMAGE, CERT_PASSWORD=password, SMTP_HOST="")
    try:
        for words in ("sample-build",), ("cert-issue",), ("prepare", "--yes"), ("rehearsal-up",):
            project.must(*words)
        file = folder / ".env"
        kept = file.read_text().replace("\nNODE_ADDRESS=rehearsal\n", "\n")
        file.write_text(f"{kept}\nNODE_ADDRESS={project.node.address}\n")
        project.must("deploy", "--first")
        yield project
    finally:
        project.node_down()
        remove_images(IMAGE)


def change(project: Project, title: str) -> None:
    """Give the image another layer and the project another file; write the image to a file."""
    build = ("podman", "build", "-q", "--network=none", "-t", IMAGE, "-f", "-", project.folder)
    text = f"FROM {IMAGE}\nLABEL tried={json_word(title)}\nCOPY butane /opt/{json_word(title)}\n"
    subprocess.run(build, input=text, text=True, check=True, capture_output=True)
    file = project.folder / "image.tar"
    file.unlink(missing_ok=True)
    subprocess.run(("podman", "save", "-qo", file, IMAGE), check=True, capture_output=True)
    (project.folder / "container/sample/files/tried.txt").write_text(title)


def json_word(title: str) -> str:
    """Make one word of a title."""
    return "".join(one if one.isalnum() else "-" for one in title)


def try_engine(project: Project, place: Workstation, engine: Engine, log: Path) -> str:
    """Deploy an image of an engine, from a workstation."""
    if (place.name, engine.word) == (SYSTEMS["bookworm"], "containerd"):
        return "this Docker has no such store"
    change(project, f"{place.name} {engine.title}")
    user = COLLEAGUE if engine.rootless else 0
    subprocess.run(["chown", "-R", f"{user}:{user}", project.folder], check=True)
    try:
        done = place.run(engine.script + DEPLOY, engine.word, engine.image, user=user)
    finally:
        subprocess.run(["chown", "-R", "0:0", project.folder], check=True)
    return result(done, log)


def rows(folder: Path, log: Path) -> Iterator[tuple[str, ...]]:
    """Try every workstation; a row of the table for each thing that was tried."""
    with node(folder / "project") as project:
        for suite in SYSTEMS:
            place = workstation(suite, project.folder)
            versions = require(place.run(VERSIONS)).splitlines()
            yield place.name, "tests", ", ".join(versions[:3]), tested(place.run(SUITE), log)
            for engine in ENGINES:
                version = versions[4 if engine.script.startswith(DOCKER) else 3]
                yield place.name, engine.title, version, try_engine(project, place, engine, log)
    for name in PYTHONS:
        # A name may be a shim that leads nowhere.
        if (python := shutil.which(name)) and subprocess.run(
            [python, "-V"], check=False
        ).returncode == 0:
            yield "this machine", "unit tests", *try_python(python, folder / name, log)
        else:
            yield "this machine", "unit tests", name, "not had"


VERSIONS = """
python3 --version
ssh -V 2>&1 | cut -d ' ' -f 1 | tr _ ' ' | tr -d ,
rsync --version | sed -n '1s/ *protocol.*//p'
podman --version | tail -n 1
docker --version | cut -d , -f 1
"""
SUITE = f"""
cd /src
/venv/bin/python -m pytest -q -n 2 --dist loadfile -p no:cacheprovider -m '{TESTS}' tests/unit
"""


def try_python(python: str, folder: Path, log: Path) -> tuple[str, str]:
    """Run the tests with a Python of this machine; return its version and how it went."""
    words = ("-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements.lock")
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = folder / "bin/python"
    subprocess.run([own, *words], check=True)
    version = subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout
    suite = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")
    done = subprocess.run(
        [own, *suite, "tests/unit"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return version.strip(), tested(done, log)


def write(found: list[tuple[str, ...]]) -> None:
    """Put the table in the place of the one before."""
    lines = ["| workstation | tried | with | result |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in found]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    day = f"Run on {datetime.now(UTC):%-d %B %Y}."
    table = "\n".join([day, "", *lines])
    PAGE.write_text(f"{before}<!-- table -->\n{table}\n<!-- end -->\n{after}", encoding="utf-8")


def main() -> int:
    """Try all, print and write the table; the exit code is 1 when something failed."""
    log = Path(tempfile.mkstemp(prefix="workstations-", suffix=".log")[1])
    found = []
    with tempfile.TemporaryDirectory(prefix="workstations-") as folder:
        for row in rows(Path(folder), log):
            output.say(" | ".join(row))
            found.append(row)
            write(found)
    return any("failed" in row[-1] for row in found)


if __name__ == "__main__":
    sys.exit(main())
