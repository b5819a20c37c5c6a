"""Measure the Butane translator beside the original program.

`make bench-butane`; needs the real tool (`make oracle`). The bounds are those of the project: the
library call within 3 times the real process, `python -m butane` within 200 ms of it on one node.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.ending import ending_whole
from butane.assemble import Fragment, assemble
from butane.translate.translation import translate
from deploy.settings.load import read_settings
from deploy.spec.plan.values import template_values
from deploy.spec.render import render_sources

_ROOT = Path(__file__).parent.parent
_ORACLE = _ROOT / ".cache" / "oracle" / "butane"
_LIBRARY_FACTOR = 3
_PROCESS_SECONDS = 0.2
_TREE_FILES, _TREE_BYTES = 300, 2_000_000
_WORDS = [
    "listen",
    "server",
    "root",
    "index",
    "location",
    "proxy_pass",
    "upstream",
    "return",
    "header",
    "cache",
    "key",
    "zone",
]


def node_spec(folder: Path) -> Path:
    """Write the machine spec of .env.example, as `fab prepare` does; return its file."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(_ROOT / ".env.example", Path(name) / ".env")
        settings = read_settings(Path(name))
    rendered = render_sources(_ROOT, template_values(settings, ("ssh-ed25519 AAAA bench",))).all
    for path, content in rendered.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    source = folder / "whole.bu"
    parts = (Fragment(name, rendered[name].decode()) for name in ("node.bu", "app.bu"))
    source.write_text(assemble(parts).text)
    return source


def make_tree(folder: Path) -> None:
    """Fill a folder with 300 files of 2 MB in all, mostly text."""
    chance = random.Random(2)  # noqa: S311 - the same files every time
    size = _TREE_BYTES // _TREE_FILES
    for number in range(_TREE_FILES):
        path = folder / "tree" / f"d{number % 17}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 10 == 0:
            path.write_bytes(chance.randbytes(size))
        else:
            text = "".join(f"{_sentence(chance)}\n" for _ in range(size // 40))
            path.write_text(text[:size])


def _sentence(chance: random.Random) -> str:
    return f"{' '.join(chance.choices(_WORDS, k=5))} {chance.randrange(10000)};"


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Time a function several times; return the median."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _process(command: list[str], source: Path) -> Callable[[], object]:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}

    def run() -> None:
        whole = [*command, "--files-dir", str(source.parent), str(source)]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL, env=environment)

    return run


def main() -> int:
    """Print each figure; return 1 when a target is missed."""
    if not _ORACLE.exists():
        sys.exit("the real tool is missing: make oracle")
    with ending_whole(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tree(folder)
        small, large = node_spec(folder), folder / "tree.bu"
        large.write_text("variant: fcos\nversion: 1.7.0\nstorage: {trees: [{local: tree}]}\n")
        met = [
            _library("our node spec", small, 21),
            _library("a tree of 300 files, 2 MB", large, 7),
            _process_beside("our node spec", small, 21),
        ]
    return 0 if all(met) else 1


def _library(label: str, source: Path, times: int) -> bool:
    text = source.read_text()
    real = median_seconds(_process([str(_ORACLE)], source), times)
    ours = median_seconds(lambda: translate(text, files=source.parent), times)
    figure = f"{ours * 1000:.1f} ms / {real * 1000:.1f} ms = {ours / real:.2f}x"
    return _line(
        f"library call / real process, {label}: {figure}, at most {_LIBRARY_FACTOR}x",
        met=ours <= _LIBRARY_FACTOR * real,
    )


def _process_beside(label: str, source: Path, times: int) -> bool:
    real = median_seconds(_process([str(_ORACLE)], source), times)
    ours = median_seconds(_process([sys.executable, "-m", "butane"], source), times)
    figure = f"{ours * 1000:.1f} ms - {real * 1000:.1f} ms = {(ours - real) * 1000:.0f} ms"
    most = f"at most {_PROCESS_SECONDS * 1000:.0f} ms"
    text = f"python -m butane - real process, {label}: {figure}, {most}"
    return _line(text, met=ours - real <= _PROCESS_SECONDS)


def _line(text: str, *, met: bool) -> bool:
    print(f"{text}: {'met' if met else 'NOT MET'}")
    return met


if __name__ == "__main__":
    sys.exit(main())
