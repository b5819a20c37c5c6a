"""The programs of a stock Fedora CoreOS node that remote scripts may start; nothing is installed.

Source: the package lists of github.com/coreos/fedora-coreos-config, `manifests/*.yaml` and
`manifest-lock.x86_64.json`, with the changes since then that its pull requests record. Compared
last on 2 August 2026, with Fedora CoreOS 44. tests/system/rehearsal/test_stock.py compares it with
a running node of each generation.
"""

from tests.root import ROOT

# What units of the node run; what `fab` runs there is below deploy/.
UNIT_SCRIPTS = tuple(sorted((ROOT / "butane/templates").rglob("*.sh")))

_BUILTINS = (
    ". : [ [[ break builtin case cd command continue coproc declare echo eval exec exit export "
    "false getopts kill let local mapfile popd printf pushd pwd read readarray readonly return set "
    "shift shopt source test trap true type ulimit umask unset wait"
)
_COREUTILS = (
    "base64 basename cat chcon chgrp chmod chown comm cp cut date dd df dirname du env "
    "expr fold head id install join link ln ls mkdir mkfifo mktemp mv nice nl nohup nproc numfmt "
    "od paste printenv ptx readlink realpath rm rmdir seq sha256sum shred shuf sleep sort split "
    "stat stdbuf sum sync tac tail tee test timeout touch tr truncate tsort tty uname unexpand "
    "uniq unlink wc who whoami yes"
)
_UTIL_LINUX = (
    "blkid fallocate findmnt flock ionice logger losetup lsblk lscpu lsns mount mountpoint "
    "nsenter prlimit renice setpriv setsid swapon umount unshare uuidgen"
)
_SYSTEMD = (
    "hostnamectl journalctl localectl loginctl resolvectl systemctl systemd-analyze "
    "systemd-cat systemd-creds systemd-detect-virt systemd-escape systemd-id128 systemd-notify "
    "systemd-run systemd-sysusers systemd-tmpfiles timedatectl udevadm"
)
_OTHERS = (
    "afterburn awk bash bootc bsdtar bzip2 chattr chronyc cmp conmon cpio crun curl diff find file "
    "gawk getenforce getent git gpg grep gzip ip jq lsof nft nmcli openssl pgrep pkill podman ps "
    "restorecon rpm rpm-ostree rsync sed sh skopeo socat ss ssh ssh-keygen sshd sudo tar "
    "wg xargs xz zcat zincati zstd zstdcat matchpathcon ping useradd usermod"
)
BUILTINS = frozenset(_BUILTINS.split())
PROGRAMS = frozenset(f"{_COREUTILS} {_UTIL_LINUX} {_SYSTEMD} {_OTHERS}".split())
# On the live system that a machine is installed from, which is Fedora CoreOS too.
PROGRAMS |= {"coreos-installer"}
# Of these a rehearsal node, which is made of Debian packages, has none.
_NOT_REHEARSED = (
    "afterburn bootc chronyc coreos-installer git nmcli resolvectl rpm rpm-ostree "
    "udevadm uuidgen wg zincati"
)
_ABSENT = "python python3 perl wget gdb strace tmux tcpdump buildah semanage firewall-cmd"
NOT_REHEARSED = frozenset(_NOT_REHEARSED.split())
ABSENT = frozenset(_ABSENT.split())
# Programs outside PATH, called by their whole name.
FILES = frozenset({"/usr/lib/systemd/system-generators/podman-system-generator", "/usr/sbin/sshd"})
