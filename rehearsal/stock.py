"""Build the stock system once; all nodes share it read-only."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal import disk, lock, places, programs, recipe, state

BUILD_BYTES = 1 << 30
KEPT_SECONDS = 14 * 24 * 3600  # trees of other recipes: another branch may want them again

# A killed run takes everything it started along, so that nothing writes into a tree afterwards.
ENDING_WITH_US = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"),
)


def tree(on_step: Callable[[str], None]) -> Path:
    """Return the stock tree of the present recipe; build it if it is not in the cache."""
    cache = places.cache()
    finished = cache / f"base-{recipe.fingerprint()}"
    with lock.held(cache / "base.lock"):
        if not finished.is_dir():
            _build(finished, on_step)
        os.utime(finished)
        _forget_old(finished)
    return finished


def _build(finished: Path, on_step: Callable[[str], None]) -> None:
    on_step("building the stock system from Debian packages; this happens once")
    disk.require_space(finished.parent, BUILD_BYTES)
    for remains in finished.parent.glob("building-*"):
        shutil.rmtree(remains)
    building = finished.with_name(f"building-{finished.name}")
    try:
        programs.run(
            [*ENDING_WITH_US, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
            + [f"--include={','.join(recipe.PACKAGES)}"]
            + [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.EXCLUDED]
            + [recipe.SUITE, str(building)],
            doing="building the stock system",
        )
        programs.run([recipe.CUSTOMIZE, building], doing="shaping the stock system")
        building.rename(finished)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _forget_old(current: Path) -> None:
    used = {record.base for folder in places.folders() if (record := state.load(folder))}
    oldest = time.time() - KEPT_SECONDS
    for old in current.parent.glob("base-*/"):
        if old.name not in used and old.stat().st_mtime < oldest:
            shutil.rmtree(old)
