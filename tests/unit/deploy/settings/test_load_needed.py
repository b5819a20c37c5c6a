"""A command that needs some settings is not stopped by problems of the others."""

from pathlib import Path

import pytest

from deploy.settings.load import SettingsError, read_needed


def test_without_files_the_needed_settings_have_their_defaults(tmp_path: Path) -> None:
    settings = read_needed(tmp_path, None, ("KNOWN_HOSTS", "NODE_USER"))

    assert settings.known_hosts == Path("certs/known_hosts")
    assert (settings.node_user, settings.name) == ("core", "www")


def test_problems_of_other_settings_are_ignored(tmp_path: Path) -> None:
    text = "PROJECT=shop\nHTTPS_PORT=99999\nHTPS_PORT=1\n=broken\nIMAGE=Bad Image\nENV_X=y\n"
    (tmp_path / ".env").write_text(text)

    settings = read_needed(tmp_path, None, ("PROJECT",))

    assert settings.app == "shop-www"


def test_the_needed_settings_are_checked_and_problems_have_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("IMAGE=\nNODE_PORT=x\nPROJECT=Shop\nNODE_PORT=2\n=broken\n")

    with pytest.raises(SettingsError) as raised:
        read_needed(tmp_path, None, ("PROJECT", "NODE_PORT"))

    lines = raised.value.message.splitlines()
    assert lines[0] == "3 problems in the settings:"
    assert lines[1] == "  .env:5: not of the form KEY=value"
    assert lines[2] == "  .env:4: NODE_PORT is set again, first in .env:2"
    assert lines[3].startswith('  .env:3: PROJECT is "Shop"; allowed: ')


def test_a_missing_needed_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_needed(tmp_path, None, ("PROJECT",))

    assert raised.value.missing == ("PROJECT",)


def test_an_instances_file_overrides_env_for_needed_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT=shop\nNODE_USER=core\n")
    (tmp_path / ".env.staging").write_text("NODE_USER=stage\n")

    settings = read_needed(tmp_path, "staging", ("PROJECT", "NODE_USER"))

    assert (settings.app, settings.node_user) == ("shop-staging", "stage")


def test_an_instance_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.env\.other does not exist"):
        read_needed(tmp_path, "other", ("KNOWN_HOSTS",))
