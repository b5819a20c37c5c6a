"""A folder with settings, and an environment without settings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import SettingsError, read_settings
from deploy.settings.model import KEYS

REQUIRED = {"PROJECT": "shop", "IMAGE": "localhost/shop:1", "CERT_NAMES": "shop.example.org"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [*KEYS, *(key for key in os.environ if key.startswith(("ENV_", "SECRET_")))]:
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write `.env` with the required settings and the given ones, for an app that ends TLS."""

    def write_env(**values: str) -> Path:
        lines = [f"{key}={value}\n" for key, value in {**REQUIRED, "TLS": "app", **values}.items()]
        (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
        (tmp_path / ".env").chmod(0o600)
        return tmp_path

    return write_env


@pytest.fixture
def complaint(write: Callable[..., Path]) -> Callable[..., str]:
    """Return the message that refuses the given values."""

    def refuse(**values: str) -> str:
        folder = write(**values)
        with pytest.raises(SettingsError) as caught:
            read_settings(folder)
        return caught.value.message

    return refuse
