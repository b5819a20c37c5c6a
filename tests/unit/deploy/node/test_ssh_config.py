"""A host is reached as ssh would reach it."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.ssh_config import SshOptions, jump_options, ssh_options

pytestmark = pytest.mark.program


def asked(home: Path, config: str, host: str = "web1") -> SshOptions:
    (home / ".ssh/config").write_text(config)
    return ssh_options(host)


def test_included_files_are_read(home: Path) -> None:
    (home / "more").write_text("Host web1\n HostName 192.0.2.7\n")

    assert asked(home, f"Include {home}/more\n").host == "192.0.2.7"


def test_match_exec_decides_as_in_ssh(home: Path) -> None:
    config = 'Match exec "test %n = web1"\n Port 2222\nMatch exec "false"\n HostName other\n'

    options = asked(home, config)
    assert (options.host, options.port) == ("web1", 2222)


def test_comments_and_quotes_after_a_keyword_are_read_as_ssh_does(home: Path) -> None:
    config = 'Host web1 # the first\n HostName="192.0.2.1" # there\n HostKeyAlias web # name\n'

    options = asked(home, config)
    assert (options.host, options.alias) == ("192.0.2.1", "web")


@pytest.mark.parametrize("value", ["none", "NONE"])
def test_proxyjump_none_is_no_jump_host(home: Path, value: str) -> None:
    assert asked(home, f"Host web1\n ProxyJump {value.lower()}\nHost *\n ProxyJump a\n").jumps == ()


def test_jump_hosts_are_listed_in_their_order(home: Path) -> None:
    config = "Host web1\n ProxyJump ann@one:2200,[2001:db8::1]:2222,two\n"

    first, second, third = map(jump_options, asked(home, config).jumps)
    assert (first.host, first.port, first.user) == ("one", 2200, "ann")
    assert (second.host, second.port) == ("2001:db8::1", 2222)
    assert (third.host, third.port) == ("two", 22)


def test_a_jump_host_that_is_none_is_named() -> None:
    with pytest.raises(DeployError, match="]:x is no jump host"):
        jump_options("]:x")


def test_a_proxy_command_gets_its_host(home: Path) -> None:
    config = "Host web1\n HostName inner\n ProxyCommand relay %% %h %n %p %r %X\n"

    options = asked(home, config)
    assert options.proxy_command == f"relay % inner web1 22 {options.user} %X"


def test_the_name_of_the_key_comes_before_the_address(home: Path) -> None:
    config = "Host web1\n HostName 192.0.2.1\n Port 2222\n HostKeyAlias shop\n"

    assert asked(home, config).known_as == (("shop", 22), ("192.0.2.1", 2222))
    assert asked(home, config, "web2").known_as == (("web2", 22),)


def test_paths_of_keys_are_expanded_as_ssh_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIND", "work")
    config = (
        "Host web1\n User ann\n IdentityFile ~/%n_%r_${KIND}\n IdentityFile %d/%h%%_%L\n"
        " CertificateFile ~none-such-user/x\n IdentitiesOnly yes\n"
    )

    options = asked(home, config)
    name = socket.gethostname().partition(".")[0]
    assert options.identities == (home / "web1_ann_work", home / f"web1%_{name}")
    assert options.certificates == (Path("~none-such-user/x"),)
    assert options.identities_only


def test_the_hash_of_a_connection_is_the_one_of_ssh(home: Path) -> None:
    config = "Host web1\n User ann\n IdentityFile /keys/%C\n ControlPath /sockets/%C\n"

    (named,) = asked(home, config).identities
    words = ["ssh", "-F", str(home / ".ssh/config"), "-G", "web1"]
    answer = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    (socket_,) = re.findall("^controlpath (.*)", answer, re.MULTILINE)
    assert named.name == Path(socket_).name != "%C"


def test_where_to_connect_from_and_with_which_family_are_those_of_ssh(home: Path) -> None:
    options = asked(home, "Host web1\n AddressFamily inet6\n BindAddress 192.0.2.1\n")
    assert (options.family, options.bind) == ("inet6", "192.0.2.1")

    options = asked(home, "", "web2")
    assert (options.family, options.bind) == ("any", "")


@pytest.mark.parametrize(
    ("value", "agent"),
    [
        ("none", ""),
        ("SSH_AUTH_SOCK", "/agent"),
        ("$OTHER", "/other"),
        ("${OTHER}", "/other"),
        ("/run/%r", "/run/ann"),
    ],
)
def test_the_agent_is_the_one_that_ssh_would_ask(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str, agent: str
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    monkeypatch.setenv("OTHER", "/other")

    assert asked(home, f"Host web1\n User ann\n IdentityAgent {value}\n").agent == agent
    assert asked(home, "", "web2").agent == "/agent"


def test_known_hosts_are_those_of_ssh_in_this_home(home: Path) -> None:
    assert asked(home, "").known_hosts[0] == home / ".ssh/known_hosts"
    config = f"UserKnownHostsFile {home}/a\nGlobalKnownHostsFile none\n"
    assert asked(home, config, "web2").known_hosts == (home / "a",)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('Host web1\n IdentityFile "abc\n', "line 2: invalid quotes"),
        ("Host web1\n Foo bar\n", "line 2: Bad configuration option: foo"),
        ("Host web1\n Port many\n", "line 2: Bad"),
        ("Host web1\n ProxyJump a:b:c\n", 'line 2: Invalid ProxyJump "a:b:c"'),
    ],
)
def test_what_ssh_does_not_take_is_named_with_file_and_line(
    home: Path, config: str, said: str
) -> None:
    with pytest.raises(DeployError) as caught:
        asked(home, config)
    assert caught.value.message.startswith("ssh does not take its configuration for web1: ")
    assert f"{home}/.ssh/config" in caught.value.message
    assert said in caught.value.message
    assert "`ssh -G web1`" in caught.value.hint


def test_without_ssh_its_name_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(home))

    with pytest.raises(DeployError, match="ssh is not installed here"):
        ssh_options("web1")
