"""Build the stock system that all nodes share read-only: once for each set of inputs."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal import places, programs, state

HERE = Path(__file__).parent
CUSTOMIZE = HERE / "customize.sh"
SUITE = "trixie"
# The stock Fedora CoreOS node's tools, by their Debian packages.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "kmod", "procps"),
    *("podman", "skopeo", "crun", "netavark", "aardvark-dns", "passt", "uidmap"),
    *("nftables", "iproute2", "iputils-ping", "curl", "socat", "openssl", "ca-certificates"),
    *("rsync", "zstd", "xz-utils", "bzip2", "libarchive-tools", "cpio", "gnupg"),
    *("jq", "gawk", "less", "file", "diffutils", "util-linux", "lsof"),
    *("policycoreutils", "e2fsprogs"),
    *("libpam-systemd", "dbus-user-session", "libnss-myhostname", "systemd-zram-generator"),
)
EXCLUDED = tuple(f"/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info"))
BUILD_BYTES = 1 << 30
KEPT_SECONDS = 14 * 24 * 3600  # trees of other inputs: another branch may want them again

# A killed run takes everything it started along, so that nothing writes into a tree afterwards.
ENDING_WITH_US = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"),
)


def tree(on_step: Callable[[str], None]) -> Path:
    """Return the stock tree of the present inputs; build it if it is not in the cache."""
    cache = places.cache()
    finished = cache / f"base-{fingerprint()}"
    with places.locked(cache / "base.lock"):
        if not finished.is_dir():
            _build(finished, on_step)
        os.utime(finished)
        _forget_old(finished)
    return finished


def fingerprint() -> str:
    """Hash every input of the stock system except the Debian archive."""
    digest = hashlib.sha256(repr((SUITE, PACKAGES, EXCLUDED)).encode())
    overlay = sorted(path for path in (HERE / "overlay").rglob("*") if path.is_file())
    for path in (CUSTOMIZE, *overlay):
        digest.update(f"\0{path.relative_to(HERE)}\0{path.stat().st_mode & 0o111}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(finished: Path, on_step: Callable[[str], None]) -> None:
    on_step("building the stock system from Debian packages; this happens once")
    places.require_space(finished.parent, BUILD_BYTES)
    for remains in finished.parent.glob("building-*"):
        shutil.rmtree(remains)
    building = finished.with_name(f"building-{finished.name}")
    try:
        programs.run(
            [*ENDING_WITH_US, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
            + [f"--include={','.join(PACKAGES)}"]
            + [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
            + [SUITE, str(building)],
            doing="building the stock system",
        )
        programs.run([CUSTOMIZE, building], doing="shaping the stock system")
        building.rename(finished)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _forget_old(current: Path) -> None:
    used = {record.base for folder in places.folders() if (record := state.load(folder))}
    oldest = time.time() - KEPT_SECONDS
    for old in current.parent.glob("base-*/"):
        if old.name not in used and old.stat().st_mtime < oldest:
            shutil.rmtree(old)
