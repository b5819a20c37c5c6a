"""The stock system has the stock node's tools and no others that a deploy could lean on."""

import pytest

from tests.system.rehearsal.nodes import Shell

pytestmark = pytest.mark.node

# What remote commands may use, as on Fedora CoreOS.
TOOLS = (
    *(
        "bash",
        "sh",
        "awk",
        "gawk",
        "sed",
        "grep",
        "find",
        "xargs",
        "cat",
        "cp",
        "mv",
        "rm",
        "ln",
        "ls",
        "mkdir",
        "mktemp",
        "install",
        "chmod",
        "chown",
        "stat",
    ),
    *(
        "sha256sum",
        "sort",
        "head",
        "tail",
        "tr",
        "cut",
        "tee",
        "touch",
        "date",
        "sleep",
        "test",
        "printf",
        "id",
        "env",
        "timeout",
        "df",
        "du",
        "sync",
    ),
    *(
        "podman",
        "skopeo",
        "crun",
        "rsync",
        "zstd",
        "xz",
        "gzip",
        "bzip2",
        "tar",
        "bsdtar",
        "cpio",
        "file",
        "diff",
        "jq",
        "curl",
        "socat",
        "openssl",
    ),
    *(
        "nft",
        "ip",
        "ss",
        "ping",
        "ssh",
        "sshd",
        "ssh-keygen",
        "sudo",
        "lsof",
        "ps",
        "pgrep",
        "flock",
        "mount",
        "umount",
        "findmnt",
        "nsenter",
    ),
    *(
        "systemctl",
        "journalctl",
        "systemd-creds",
        "systemd-run",
        "systemd-analyze",
        "systemd-escape",
        "systemd-tmpfiles",
    ),
    *(
        "hostnamectl",
        "timedatectl",
        "loginctl",
        "restorecon",
        "getenforce",
        "matchpathcon",
        "chcon",
        "useradd",
        "usermod",
        "gpg",
    ),
)

ABSENT = (
    *(
        "python",
        "python3",
        "perl",
        "wget",
        "gdb",
        "strace",
        "tmux",
        "tcpdump",
        "buildah",
        "semanage",
    ),
    *(
        "apt",
        "apt-get",
        "dpkg",
        "dpkg-query",
        "debconf",
        "update-alternatives",
        "adduser",
        "networkctl",
    ),
)


def test_every_tool_of_the_stock_node_is_there(shell: Shell) -> None:
    missing = shell.run(
        f"for tool in {' '.join(TOOLS)}; do type $tool >/dev/null || echo $tool; done"
    )

    assert missing.split() == []


def test_what_the_stock_node_lacks_is_absent(shell: Shell) -> None:
    present = shell.run(
        f"for tool in {' '.join(ABSENT)}; do PATH=$PATH:/usr/sbin type -P $tool; done; true"
    )

    assert present.split() == []


def test_no_program_is_a_script_of_an_interpreter_that_is_missing(shell: Shell) -> None:
    scripts = shell.run("sudo grep -rlIE -m1 '^#!.*(perl|python)' /usr/; true")

    assert scripts.split() == []


def test_only_etc_and_var_can_be_written(shell: Shell) -> None:
    for folder in ("/", "/usr", "/usr/bin", "/boot"):
        result = shell.attempt(f"sudo touch {folder}/probe")
        assert b"Read-only file system" in result.stderr, folder
    for folder in ("/etc", "/var", "/home", "/opt", "/srv", "/usr/local/bin", "/root"):
        shell.run(f"sudo touch {folder}/probe && sudo rm {folder}/probe")


def test_links_lead_into_var(shell: Shell) -> None:
    found = shell.run("readlink -f /home /root /opt /srv /mnt /usr/local")

    assert found.split() == [
        *("/var/home", "/var/roothome", "/var/opt", "/var/srv", "/var/mnt", "/var/usrlocal"),
    ]


def test_scratch_space_is_in_memory_and_container_storage_on_disk(shell: Shell) -> None:
    assert shell.run("findmnt -n -o FSTYPE -T /tmp").strip() == "tmpfs"
    assert shell.run("findmnt -n -o FSTYPE -T /var/tmp").strip() not in {"tmpfs", "overlay"}
    assert shell.run("sudo podman info -f '{{.Store.GraphDriverName}}'").strip() == "overlay"
