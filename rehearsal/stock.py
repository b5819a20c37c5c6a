"""The stock system: built once, then shared read-only by all nodes."""

import shutil
from collections.abc import Callable
from pathlib import Path

from rehearsal import lock, places, programs, recipe

BUILD_BYTES = 1 << 30


def tree(on_step: Callable[[str], None]) -> Path:
    """Return the stock tree of today's recipe, building it first if it is not in the cache."""
    cache = places.cache()
    finished = cache / f"base-{recipe.fingerprint()}"
    if finished.is_dir():
        return finished
    with lock.held(cache / "base.lock"):
        if not finished.is_dir():
            _build(finished, on_step)
    return finished


def _build(finished: Path, on_step: Callable[[str], None]) -> None:
    on_step("building the stock system from Debian packages; this happens once")
    places.require_space(finished.parent, BUILD_BYTES)
    for remains in finished.parent.glob("building-*"):
        shutil.rmtree(remains)
    building = finished.with_name(f"building-{finished.name}")
    try:
        programs.run(
            ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"]
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
