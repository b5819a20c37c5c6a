"""Build the stock system that all nodes share read-only: once for each set of inputs."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal import places, programs, state
from rehearsal.errors import RehearsalError

HERE = Path(__file__).parent
CUSTOMIZE, USERS = HERE / "customize.sh", HERE / "system-users.sh"
ENFORCE, POLICY = HERE / "metal/enforce.sh", HERE / "metal/policy.cil"
# The generations of Debian that nodes are built from, the default first. trixie stands still; forky
# moves, and is nearest to the Fedora CoreOS of today.
SUITES = ("trixie", "forky")
_SUITE_VARIABLE = "REHEARSAL_SUITE"
# The stock Fedora CoreOS node's tools, by their Debian packages.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "kmod", "procps"),
    *("podman", "skopeo", "crun", "netavark", "aardvark-dns", "passt", "uidmap"),
    # Podman's own container of a pod is it.
    "catatonit",
    *("nftables", "iproute2", "iputils-ping", "curl", "socat", "openssl", "ca-certificates"),
    *("rsync", "zstd", "xz-utils", "bzip2", "libarchive-tools", "cpio", "gnupg"),
    *("jq", "gawk", "less", "file", "diffutils", "util-linux", "lsof"),
    *("policycoreutils", "e2fsprogs", "openssh-client"),
    *("libpam-systemd", "dbus-user-session", "libnss-myhostname", "systemd-zram-generator"),
)
# For a kernel of its own: SELinux's policy, the log of what it denied, and what talks to a TPM.
ENFORCING = ("selinux-policy-default", "auditd", "tpm2-tools")
EXCLUDED = tuple(f"/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info"))
# A mirror's copy of a moving suite may be older than its Release file allows.
_APT_OPTIONS = {"forky": ('Acquire::Check-Valid-Until "false"',)}
BUILD_BYTES = 1 << 30
KEPT_SECONDS = 14 * 24 * 3600  # trees of other inputs: another branch may want them again

# A killed run takes everything it started along, so that nothing writes into a tree afterwards.
ENDING_WITH_US = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"),
)


def tree(on_step: Callable[[str], None], suite: str = "", *, enforcing: bool = False) -> Path:
    """Return the stock tree of a generation; build it if it is not in the cache.

    An enforcing one has SELinux and labels: for machines with a kernel of their own.

    Raises:
        RehearsalError: for a generation that is none of SUITES, a failed build.
    """
    chosen = checked_suite(suite)
    cache = places.cache()
    finished = cache / f"base-{fingerprint(chosen, enforcing=enforcing)}"
    with places.locked(cache / "base.lock"):
        if not finished.is_dir():
            _build(finished, chosen, on_step, enforcing=enforcing)
        os.utime(finished)
        _forget_old(finished)
    return finished


def checked_suite(suite: str = "") -> str:
    """Return the generation, else the one in REHEARSAL_SUITE, else the first of SUITES.

    Raises:
        RehearsalError: for one that is none of SUITES.
    """
    chosen = suite or os.environ.get(_SUITE_VARIABLE) or SUITES[0]
    if chosen not in SUITES:
        raise RehearsalError(
            f"there are no rehearsal nodes of {chosen!r}",
            f"set {_SUITE_VARIABLE} to {' or '.join(SUITES)}, or remove it from the environment",
        )
    return chosen


def fingerprint(suite: str = "", *, enforcing: bool = False) -> str:
    """Hash every input of the stock system except the Debian archive."""
    inputs = (checked_suite(suite), _packages(enforcing=enforcing), EXCLUDED)
    digest = hashlib.sha256(repr(inputs).encode())
    overlay = sorted(path for path in (HERE / "overlay").rglob("*") if path.is_file())
    for path in (CUSTOMIZE, USERS, *((ENFORCE, POLICY) if enforcing else ()), *overlay):
        digest.update(f"\0{path.relative_to(HERE)}\0{path.stat().st_mode & 0o111}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _packages(*, enforcing: bool) -> tuple[str, ...]:
    return PACKAGES + (ENFORCING if enforcing else ())


def _build(finished: Path, suite: str, on_step: Callable[[str], None], *, enforcing: bool) -> None:
    on_step(f"building the stock system from Debian {suite} packages; this happens once")
    places.require_space(finished.parent, BUILD_BYTES)
    for remains in finished.parent.glob("building-*"):
        shutil.rmtree(remains)
    building = finished.with_name(f"building-{finished.name}")
    try:
        _bootstrap(building, suite, _packages(enforcing=enforcing))
        programs.run([*ENDING_WITH_US, CUSTOMIZE, building], doing="shaping the stock system")
        if enforcing:
            programs.run([*ENDING_WITH_US, ENFORCE, building], doing="labelling the stock system")
        building.rename(finished)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _bootstrap(building: Path, suite: str, packages: tuple[str, ...]) -> None:
    try:
        programs.run(
            [*ENDING_WITH_US, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
            + [f"--include={','.join(packages)}"]
            + [f"--essential-hook={USERS}"]
            + [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
            + [f"--aptopt={option}" for option in _APT_OPTIONS.get(suite, ())]
            + [suite, str(building)],
            doing=f"building the stock system from Debian {suite}",
        )
    except RehearsalError as error:
        advice = "can this machine reach Debian's archive?"
        if suite != SUITES[0]:
            advice += (
                f" {suite} changes until its release and may be broken today: try again later, or "
                f"remove {_SUITE_VARIABLE} from the environment for a node of {SUITES[0]}"
            )
        raise RehearsalError(error.message, f"{error.hint}\n{advice}") from error


def _forget_old(current: Path) -> None:
    records = [record for folder in places.folders() if (record := state.load(folder))]
    used = {base for record in records for base in (record.base, record.previous)}
    oldest = time.time() - KEPT_SECONDS
    for old in current.parent.glob("base-*/"):
        if old.name not in used and old.stat().st_mtime < oldest:
            shutil.rmtree(old)
