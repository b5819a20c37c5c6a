"""The inputs of the stock system that every rehearsal node shares."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
OVERLAY = HERE / "overlay"
CUSTOMIZE = HERE / "customize.sh"
SUITE = "trixie"

# The stock Fedora CoreOS node's tools, by their Debian packages.
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "kmod", "procps"),
    *("podman", "skopeo", "crun", "netavark", "aardvark-dns", "passt", "uidmap"),
    *("nftables", "iproute2", "iputils-ping", "curl", "socat", "openssl", "ca-certificates"),
    *("rsync", "zstd", "xz-utils", "bzip2", "libarchive-tools", "cpio", "gnupg"),
    *(
        "jq",
        "gawk",
        "less",
        "file",
        "diffutils",
        "util-linux",
        "lsof",
        "policycoreutils",
        "e2fsprogs",
    ),
    *("libpam-systemd", "dbus-user-session", "libnss-myhostname", "systemd-zram-generator"),
)
EXCLUDED = tuple(f"/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info"))


def fingerprint() -> str:
    """Hash every input of the stock system except the Debian archive."""
    digest = hashlib.sha256(repr((SUITE, PACKAGES, EXCLUDED)).encode())
    for path in (CUSTOMIZE, *_overlay_files()):
        digest.update(f"\0{path.relative_to(HERE)}\0{path.stat().st_mode & 0o111}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _overlay_files() -> Iterator[Path]:
    yield from sorted(path for path in OVERLAY.rglob("*") if path.is_file())
