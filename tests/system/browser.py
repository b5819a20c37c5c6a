"""Debian's Chromium without a window, and axe-core, fetched into the cache."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from rehearsal.places import locked
from tests.system.debian import fetched

_PROGRAM = "usr/lib/chromium/chromium-headless-shell"
_PACKAGE = "chromium-headless-shell"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab")
_AXE = "axe-core@4.14.1"
_POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")
_RESULT = re.compile(r'<pre id="axe-result">(.*?)</pre>', re.DOTALL)


def browser() -> Path:
    """Unpack Chromium, and the libraries that this machine lacks for it."""
    words = ["apt-get", "install", "--simulate", "--no-install-recommends", _PACKAGE]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    packages = tuple(re.findall(r"^Inst (\S+)", said, re.MULTILINE)) or (_PACKAGE,)
    return fetched("chromium", packages, _PROGRAM)
