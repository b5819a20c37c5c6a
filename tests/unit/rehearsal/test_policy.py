"""What the SELinux machine's policy allows beyond Debian's is for programs of the system."""

import re

from rehearsal import stock

# What corefab's scripts and units run as, and what it serves.
OURS = {"unconfined_t", "init_t", "initrc_t", "container_t"}


def test_no_rule_allows_corefab_more_than_podman_gives_anyone() -> None:
    rules = re.findall(r"^\(allow (\S+) (\S+) \((\S+)", stock.POLICY.read_text(), re.MULTILINE)

    ours = {rule for rule in rules if rule[0] in OURS | {"domain"}}
    assert ours == {
        ("unconfined_t", "podman_t", "process"),
        ("container_t", "podman_conmon_t", "unix_dgram_socket"),
        ("domain", "usr_t", "lnk_file"),
    }
    assert len(rules) > len(ours)


def test_no_domain_is_let_off() -> None:
    assert "typepermissive" not in stock.POLICY.read_text()
    assert "permissive" not in stock.ENFORCE.read_text()
