"""Secrets leave the environment when they are read, and no file with them is readable by others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context
from pydantic import SecretStr

from certs.acme.order import Challenge
from deploy.certificate.challenge import DnsCommand
from deploy.errors import DeployError
from deploy.settings.load import read_needed, read_settings
from deploy.settings.model import Settings
from deploy.settings.secrets import SECRET_KEYS
from deploy.task import task
from deploy.workstation.hooks import run_hook
from deploy.workstation.programs import Start, link, run

Write = Callable[..., Path]
SECRETS = {
    "CERT_PASSWORD": "taken-1",
    "CERT_PASSWORD_OLD": "taken-2",
    "ACME_HMAC_KEY": "taken-3",
    "SMTP_PASSWORD": "taken-4",
    "SECRET_API_TOKEN": "taken-5",
    "SECRET_OF_ANOTHER_INSTANCE": "taken-6",
}


@pytest.fixture
def exported(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator who exports every secret, and something for a hook."""
    for key, value in {**SECRETS, "HOOK_TOKEN": "for-hooks"}.items():
        monkeypatch.setenv(key, value)
    return write(SECRET_API_TOKEN="")


def values(settings: Settings) -> list[str]:
    found = [settings.cert_password, settings.smtp_password]
    found += [source.value for source in settings.sources]
    return [one.get_secret_value() for one in found if one]


def test_every_secret_setting_is_known_as_one() -> None:
    fields = Settings.model_fields.items()

    assert {name.upper() for name, one in fields if one.annotation == SecretStr | None} == (
        SECRET_KEYS
    )


def test_secrets_of_the_environment_are_read_and_gone(exported: Path) -> None:
    settings = read_settings(exported)

    assert {"taken-1", "taken-4", "taken-5"} <= set(values(settings))
    assert not SECRETS.keys() & os.environ.keys()


def test_settings_that_are_read_again_have_the_same_secrets(exported: Path) -> None:
    assert values(read_settings(exported)) == values(read_settings(exported))


def test_a_command_that_reads_no_settings_takes_them_out_too(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @task("look")
    def look(_: Context) -> None:
        """Look at the environment."""
        seen.extend(SECRETS.keys() & os.environ.keys())

    look(Context(Config()))
    assert seen == []


@pytest.mark.program
def test_hooks_and_the_operators_commands_get_the_environment_without_secrets(
    exported: Path, tmp_path: Path
) -> None:
    read_settings(exported)
    hook = tmp_path / "hooks/before-deploy"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\nenv >{tmp_path}/hook\n")
    hook.chmod(0o700)

    run_hook(tmp_path, "before-deploy", "{}")
    DnsCommand(f"env >{tmp_path}/dns;:").cleanup(Challenge("dns-01", "a.test", "_acme.a.test", "x"))
    with link(f"sh -c 'env >{tmp_path}/proxy'") as end:
        assert end.recv(1) == b""

    for name in ("hook", "dns", "proxy"):
        text = (tmp_path / name).read_text()
        assert "HOOK_TOKEN=for-hooks" in text
        assert "taken-" not in text


@pytest.mark.program
def test_other_programs_get_only_what_they_need_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key in ("SECRET_X", "AWS_SECRET_ACCESS_KEY", "RSYNC_PASSWORD", "BASH_ENV"):
        monkeypatch.setenv(key, "seen")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")

    text = run(["env"]).decode()

    assert "seen" not in text
    assert "SSH_AUTH_SOCK=/agent" in text
    assert f"PATH={os.environ['PATH']}" in text
    assert "AWS_SECRET_ACCESS_KEY=seen" in run(["env"], start=Start(operators=True)).decode()


@pytest.mark.parametrize("key", ["CERT_PASSWORD", "SMTP_PASSWORD", "SECRET_API_TOKEN"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o777])
def test_a_file_with_a_secret_that_others_can_read_is_refused(
    write: Write, key: str, mode: int
) -> None:
    folder = write(**{key: "hunter2"})
    (folder / ".env").chmod(mode)

    for read in (read_settings, lambda place: read_needed(place, None, ["PROJECT"])):
        with pytest.raises(DeployError) as caught:
            read(folder)
        assert caught.value.message.startswith(f".env holds {key}, and its mode {mode:04o} ")
        assert caught.value.hint == f"chmod 600 {folder}/.env"
        assert "hunter2" not in caught.value.message


def test_the_file_of_an_instance_is_refused_too(write: Write) -> None:
    folder = write()
    (folder / ".env.staging").write_text("SECRET_API_TOKEN=x\n")
    (folder / ".env.staging").chmod(0o644)

    with pytest.raises(DeployError, match=r"\.env\.staging holds SECRET_API_TOKEN"):
        read_settings(folder, "staging")


def test_a_file_without_a_secret_may_be_read_by_others(write: Write) -> None:
    folder = write(CERT_PASSWORD="", SECRET_API_TOKEN="", SECRET_DB_COMMAND="pass show db")
    (folder / ".env").chmod(0o644)

    assert read_settings(folder).project == "shop"
