"""What tests of certificates share."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program; skip where it is missing, but fail in CI, which installs it."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing, and CI must have it")
        return found or pytest.skip(f"{name} is not installed")

    return find
