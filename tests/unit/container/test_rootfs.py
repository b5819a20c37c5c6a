"""The root file system of an image: what an ordinary user needs to build it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from container.errors import ContainerError
from container.rootfs import build_rootfs
from container.sample.build import PACKAGES


def test_an_ordinary_user_without_newuidmap_reads_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(ContainerError, match="needs newuidmap") as caught:
        build_rootfs(PACKAGES)

    assert caught.value.hint == "apt-get install uidmap"
