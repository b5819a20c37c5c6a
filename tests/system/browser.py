"""Debian's Chromium without a window, and axe-core of npm, fetched into the cache."""

import hashlib
import html
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.places import locked
from tests.system.debian import fetched

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab")
_PACKAGE = "chromium-headless-shell"
_PROGRAM = f"usr/lib/chromium/{_PACKAGE}"
_AXE = "axe-core-4.14.1.tgz"
_AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_RESULT = re.compile(r'<pre id="axe-result">(.*?)</pre>', re.DOTALL)
_RUN = """<script>axe.run().then(found => {
  const made = document.createElement('pre');
  made.id = 'axe-result';
  made.textContent = JSON.stringify(found);
  document.body.append(made);
})</script>"""


@dataclass(frozen=True)
class Browser:
    """Chromium, and a folder of its own for each run."""

    tree: Path
    folder: Path

    def picture(self, page: Path, to: Path, *, width: int, height: int, dark: bool) -> str:
        """Write a picture of a page; return what the browser said."""
        return self._run(
            f"--window-size={width},{height}", f"--screenshot={to}", _scheme(dark=dark), str(page)
        ).stderr

    def dom(self, page: Path) -> str:
        """Give the document as it is when its scripts have run."""
        return self._run("--dump-dom", str(page)).stdout

    def axe(self, page: Path, *, width: int, dark: bool) -> dict[str, Any]:
        """Have axe-core look at a page; its policy, which forbids scripts, is left out for that."""
        text, number = _POLICY.subn("", page.read_text(encoding="utf-8"))
        assert number == 1
        looked = self.folder / f"axe-{width}-{dark}.html"
        # A script of the page's own would run here as well.
        looked.write_text(text.replace("</body>", f"<script>{_axe()}</script>{_RUN}</body>"))
        said = self._run(
            f"--window-size={width},2000", _scheme(dark=dark), "--virtual-time-budget=60000",
            "--dump-dom", str(looked),
        ).stdout  # fmt: skip
        found = _RESULT.search(said)
        assert found, said[-2000:]
        result: dict[str, Any] = json.loads(html.unescape(found[1]))
        return result

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        libraries = {str(one.parent) for one in (self.tree / "usr/lib").rglob("*.so*")}
        return subprocess.run(
            [
                self.tree / _PROGRAM, "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--enable-logging=stderr", f"--user-data-dir={self.folder / 'profile'}", *words,
            ],
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(libraries))},
            capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip


def browser(folder: Path) -> Browser:
    """Unpack Chromium, and the libraries for it that this machine lacks."""
    words = ["apt-get", "install", "--simulate", "--no-install-recommends", _PACKAGE]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    packages = tuple(re.findall(r"^Inst (\S+)", said, re.MULTILINE)) or (_PACKAGE,)
    return Browser(fetched("chromium", packages, _PROGRAM), folder)


def _scheme(*, dark: bool) -> str:
    return f"--blink-settings=preferredColorScheme={0 if dark else 1}"


def _axe() -> str:
    """Fetch axe-core once; give its script."""
    folder = _CACHE / "axe"
    with locked(folder / "lock"):
        packed = folder / _AXE
        if not packed.exists():
            words = ["npm", "pack", "--silent", _AXE.removesuffix(".tgz").replace("core-", "core@")]
            try:
                subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                why = f"axe-core cannot be fetched: {getattr(error, 'stderr', '') or error}"
                pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
        assert hashlib.sha256(packed.read_bytes()).hexdigest() == _AXE_SHA256
        with tarfile.open(packed) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script
            return script.read().decode()
