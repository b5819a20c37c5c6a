"""systemd, sshd, the network and the user `core` behave as on the stock node."""

import pytest

from tests.system.rehearsal.nodes import Shell, reboot

pytestmark = pytest.mark.node


def test_core_may_administer_and_passwords_are_refused(shell: Shell) -> None:
    assert {"adm", "sudo", "systemd-journal", "wheel"} <= set(shell.run("id -nG").split())
    assert shell.run("sudo -n id -u").strip() == "0"
    effective = shell.run("sudo sshd -T").lower()
    assert "passwordauthentication no" in effective
    assert "kbdinteractiveauthentication no" in effective


def test_a_key_dropped_beside_ignitions_is_accepted_and_hidden_files_are_not(shell: Shell) -> None:
    folder = ".ssh/authorized_keys.d"
    assert shell.run(f"ls {folder}").split() == ["ignition"]
    shell.run(f"echo first-key > {folder}/added; echo never > {folder}/.hidden")

    keys = shell.run("sudo /usr/libexec/ssh-key-dir core")

    assert "first-key" in keys
    assert "never" not in keys
    shell.run(f"rm {folder}/added {folder}/.hidden")


def test_a_login_has_a_session_and_its_users_own_systemd(shell: Shell) -> None:
    assert shell.run("systemctl --user is-system-running --wait").strip() == "running"
    assert "core" in shell.run("loginctl list-sessions --no-legend")


def test_secrets_are_sealed_by_the_node_and_opened_for_one_unit(shell: Shell) -> None:
    seal = "sudo systemd-creds encrypt --name=word - /etc/credstore.encrypted/word"
    shell.run(seal, stdin=b"open sesame")
    unit = (
        "sudo systemd-run --quiet --pipe --wait -p RuntimeDirectory=sealed"
        " -p LoadCredentialEncrypted=word:/etc/credstore.encrypted/word"
        " bash -c 'install -m 0400 $CREDENTIALS_DIRECTORY/word $RUNTIME_DIRECTORY/word;"
        " cat $RUNTIME_DIRECTORY/word; findmnt -n -o FSTYPE -T $RUNTIME_DIRECTORY'"
    )

    assert shell.run(unit) == "open sesametmpfs\n"
    assert shell.attempt("sudo grep -rq 'open sesame' /etc /var/lib").returncode == 1
    shell.run("sudo rm /etc/credstore.encrypted/word")


def test_firewall_rules_hold_on_the_node_alone(shell: Shell) -> None:
    rules = b"table inet probe {\n chain in {\n type filter hook input priority 0;\n }\n}\n"
    shell.run("sudo nft -f -", stdin=rules)

    assert "table inet probe" in shell.run("sudo nft list tables")
    shell.run("sudo nft delete table inet probe")


def test_the_nodes_own_network_can_be_tuned_and_the_workstations_kernel_cannot(
    shell: Shell,
) -> None:
    shell.run("sudo sysctl -qw net.ipv4.ip_unprivileged_port_start=81")
    assert shell.run("sysctl -n net.ipv4.ip_unprivileged_port_start").strip() == "81"

    assert shell.attempt("sudo sysctl -qw kernel.sysrq=0").returncode != 0
    shell.run("sudo sysctl -qw net.ipv4.ip_unprivileged_port_start=1024")


def test_the_node_answers_on_both_its_addresses(shell: Shell) -> None:
    addresses = shell.run("ip -brief address show enp1s0")

    assert shell.node.address in addresses
    assert shell.node.address6 in addresses
    assert "default via" in shell.run("ip route")
    assert not [name for name in shell.run("ls /sys/class/net").split() if "corefab" in name]


def test_the_journal_outlives_a_reboot_and_the_identity_stays(shell: Shell) -> None:
    identity = shell.run("cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub")
    shell.run("logger -t probe before-the-reboot")

    reboot(shell.node.name, shell.key)

    assert "before-the-reboot" in shell.run("journalctl -q -b -1 -t probe -o cat")
    assert shell.run("cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub") == identity
