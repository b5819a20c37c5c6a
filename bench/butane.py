"""How fast the Butane translator is, beside the real one, in one run.

`make bench-butane`; needs the real tool (`make oracle`). The bounds are those of the project: the
library call within 3 times the real process, `python -m butane` within 200 ms of it on one node.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from butane.translate.translation import translate

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


def node_spec() -> str:
    """Write the spec of a node: a user, two dozen files, a dozen units."""
    lines = [
        "variant: fcos",
        "version: 1.7.0",
        "passwd: {users: [{name: core, ssh_authorized_keys: [ssh-ed25519 AAAA me@here]}]}",
        "kernel_arguments: {should_exist: [console=ttyS0]}",
        "storage:",
        "  filesystems:",
        "    - {device: /dev/vdb, format: xfs, path: /var/data, with_mount_unit: true}",
        "  files:",
    ]
    chance = random.Random(1)  # noqa: S311 - the same text every time
    for number in range(24):
        lines += [f"    - path: /etc/app/{number}.conf", "      mode: 0644", "      contents:"]
        lines += ["        inline: |", *(f"          {_sentence(chance)}" for _ in range(12))]
    lines += ["systemd:", "  units:"]
    for number in range(12):
        lines += [f"    - name: app-{number}.service", "      enabled: true", "      contents: |"]
        lines += ["        [Service]", f"        ExecStart=/usr/bin/app {number}"]
        lines += ["        [Install]", "        WantedBy=multi-user.target"]
    return "\n".join(lines) + "\n"


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
    """Time a piece of work several times and take the middle one."""
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
    """Print the measurements; exit code 1 when a bound is broken."""
    if not _ORACLE.exists():
        sys.exit("the real tool is missing: make oracle")
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tree(folder)
        small, large = folder / "node.bu", folder / "tree.bu"
        small.write_text(node_spec())
        large.write_text("variant: fcos\nversion: 1.7.0\nstorage: {trees: [{local: tree}]}\n")
        print(f"{'':<22}{'real process':>14}{'library call':>14}{'python -m':>14}")
        for source, times, is_small in ((small, 21, True), (large, 7, False)):
            good &= _compare(source, times, is_small=is_small)
    print("within the bounds" if good else "a bound is broken")
    return 0 if good else 1


def _compare(source: Path, times: int, *, is_small: bool) -> bool:
    text = source.read_text()
    real = median_seconds(_process([str(_ORACLE)], source), times)
    library = median_seconds(lambda: translate(text, files=source.parent), times)
    process = median_seconds(_process([sys.executable, "-m", "butane"], source), times)
    label = "a node's spec" if is_small else "a tree of 2 MB"
    print(f"{label:<22}" + "".join(f"{x * 1000:>11.1f} ms" for x in (real, library, process)))
    quick = library <= _LIBRARY_FACTOR * real
    return quick and (not is_small or process - real <= _PROCESS_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
