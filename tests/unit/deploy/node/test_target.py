"""A target's address and port come from the settings or the SSH config."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.node.target import Target, resolve

WEB = Target("web1", None, "core", None, Path("known_hosts"))


def test_a_host_of_the_ssh_config_resolves_to_its_address_and_port(home: Path) -> None:
    (home / ".ssh/config").write_text("Host web1\n HostName 192.0.2.1\n Port 2222\n")

    assert resolve(WEB) == ("192.0.2.1", 2222)
    assert resolve(replace(WEB, port=22)) == ("192.0.2.1", 22)


@pytest.mark.usefixtures("home")
def test_a_host_that_is_not_in_the_ssh_config_resolves_to_itself() -> None:
    assert resolve(replace(WEB, host="web2.example.org")) == ("web2.example.org", 22)


@pytest.mark.parametrize(("port", "text"), [(None, "web1"), (22, "web1"), (2222, "web1:2222")])
def test_a_target_is_printed_with_a_port_that_is_not_the_usual_one(
    port: int | None, text: str
) -> None:
    assert str(replace(WEB, port=port)) == text
