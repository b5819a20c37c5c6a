"""The programs of a stock Fedora CoreOS node that remote scripts may start; nothing is installed.

Notably absent there: python, perl, wget, buildah, firewalld, semanage.
"""

_BUILTINS = (
    ". : [ [[ break builtin case cd command continue declare echo eval exec exit export false "
    "getopts let local mapfile popd printf pushd pwd read readarray readonly return set shift "
    "shopt source test trap true type ulimit umask unset wait"
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
    "afterburn awk bash bootc bsdtar bzip2 cmp conmon cpio crun curl diff find file "
    "gawk getenforce getent git gpg grep gzip ip jq lsof nft nmcli openssl pgrep pkill podman ps "
    "restorecon rpm rpm-ostree rsync sed sh skopeo socat ss ssh ssh-keygen sshd sudo tar "
    "wg xargs xz zcat zincati zstd zstdcat"
)
BUILTINS = frozenset(_BUILTINS.split())
PROGRAMS = frozenset(f"{_COREUTILS} {_UTIL_LINUX} {_SYSTEMD} {_OTHERS}".split())
# On the live system that a machine is installed from, which is Fedora CoreOS too.
PROGRAMS |= {"coreos-installer"}
# Programs outside PATH, called by their whole name.
FILES = frozenset({"/usr/lib/systemd/system-generators/podman-system-generator"})
