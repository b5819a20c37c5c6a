"""The value of a credential comes from its setting, its command, or is typed in."""

import pytest

from deploy.app.credentials import Credentials
from deploy.errors import DeployError
from deploy.workstation.sources import fetch
from tests.unit.deploy.examples import settings


def credentials(ask: object = None, **values: object) -> Credentials:
    return Credentials(settings(**values), ask)  # type: ignore[arg-type]


def test_the_value_of_a_setting_is_used() -> None:
    found = credentials(CERT_PASSWORD="hunter2", **{"SECRET_*": {"token": "t"}})

    assert found.names == ("cert_pass", "token")
    assert found.value("cert_pass") == "hunter2"
    assert found.known() == {"cert_pass": "hunter2", "token": "t"}


def test_a_missing_value_is_asked_for_once_by_the_name_of_its_setting() -> None:
    asked: list[str] = []

    def ask(key: str) -> str:
        asked.append(key)
        return "hunter2"

    found = credentials(ask)
    assert found.known() == {"cert_pass": None}
    assert (found.value("cert_pass"), found.value("cert_pass")) == ("hunter2", "hunter2")
    assert found.known() == {"cert_pass": "hunter2"}
    assert asked == ["CERT_PASSWORD"]


def test_without_a_terminal_the_setting_and_its_command_are_named() -> None:
    with pytest.raises(DeployError, match="CERT_PASSWORD is not set, and no terminal") as caught:
        credentials().value("cert_pass")

    assert "CERT_PASSWORD_COMMAND" in caught.value.hint


@pytest.mark.parametrize("extra", [0, 1])
def test_credentials_that_systemd_would_refuse_are_refused_here(extra: int) -> None:
    # systemd counts names and values.
    value = "é" * ((1024 * 1024 - len("cert_pass" + "token" + "hunter2")) // 2)
    rest = 1024 * 1024 - len("cert_pass" + "token" + "hunter2") - len(value.encode())
    found = credentials(
        CERT_PASSWORD="hunter2", **{"SECRET_*": {"token": value + "x" * (rest + extra)}}
    )

    if not extra:
        found.known()
        return
    with pytest.raises(DeployError, match=r"take 1048577 bytes, .* the largest is token"):
        found.known()


def test_no_value_is_shown() -> None:
    found = credentials(CERT_PASSWORD="hunter2")
    found.value("cert_pass")

    assert repr(found) == "Credentials(cert_pass)"


@pytest.mark.program
@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("echo hunter2", "hunter2"),
        ("printf 'hunter2'", "hunter2"),
        ("printf ' a b \\n\\n'", " a b \n"),
        ("printf 'p\\303\\244ss'", "päss"),
        ("read x || echo no input", "no input"),
        ("echo hunter2; echo noise >&2", "hunter2"),
    ],
)
def test_a_commands_output_is_the_value_without_its_last_line_end(command: str, value: str) -> None:
    assert credentials(CERT_PASSWORD_COMMAND=command).value("cert_pass") == value


@pytest.mark.program
def test_a_command_is_run_once(tmp_path: object) -> None:
    found = credentials(CERT_PASSWORD_COMMAND=f"echo >>{tmp_path}/runs; wc -l <{tmp_path}/runs")

    assert found.known()["cert_pass"] == found.value("cert_pass")


@pytest.mark.program
@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("true", "printed nothing$"),
        ("echo >&2 locked | cat", "printed nothing: locked$"),
        ("echo", "printed nothing$"),
        ("echo hunter2; exit 3", r"failed \(exit code 3\)"),
        ("echo locked >&2; exit 1", r"failed \(exit code 1\): locked"),
        ("corefab-no-such-program", r"failed \(exit code 127\)"),
        ("printf '\\377'", "printed something other than UTF-8 text"),
    ],
)
def test_a_command_without_a_value_is_named_with_how_to_try_it(command: str, part: str) -> None:
    with pytest.raises(DeployError, match=f"CERT_PASSWORD_COMMAND {part}") as caught:
        credentials(CERT_PASSWORD_COMMAND=command).value("cert_pass")

    assert caught.value.hint == f"try it: {command}"
    assert "hunter2" not in caught.value.message


@pytest.mark.program
def test_a_command_that_does_not_end_times_out() -> None:
    (source,) = settings(CERT_PASSWORD_COMMAND="exec sleep 60").sources

    with pytest.raises(DeployError, match=r"CERT_PASSWORD_COMMAND took longer than 0.2 s"):
        fetch(source, None, seconds=0.2)
