"""Measure the second mode, `IMAGE_MODE=delta`: called by bench.image, or alone for a quick look."""

import os
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.image import HEADER, MB, SECRETS, Bench, Cost, shown
from bench.images import Built, bound, build, debian, one_changed, texts, updated, write_layer
from rehearsal import stock
from tests.node.project import make_project

_ROUNDS = 5


def measure(bench: Bench, first: Built, small: Built, base: Built) -> None:
    """Measure the delta of a small file and of an updated base, on the first image as anchor."""
    bench.tell(f"IMAGE_MODE=delta, image of {first.size / MB:.0f} MB as anchor")
    bench.tell(HEADER)
    bench.fresh(None)
    costs = {"anchor": bench.measure(lambda: bench.ours(first, mode="delta"))}
    bench.tell("  " + shown("corefab, the anchor itself", costs["anchor"]))
    cache, kept = bench.folder / "cache", bench.folder / "kept"
    shutil.copytree(cache, kept)
    for case, new in (
        ("nothing changed", first),
        ("small file changed", small),
        ("base updated", base),
    ):
        least = bound(new, first) if new is not first else 0
        bench.tell(f"{case} (least, by zstd: {least} bytes; the middle of {_ROUNDS} by time)")
        found = []
        for number in range(_ROUNDS + 1):
            # Neither the node nor this workstation has met the new image.
            bench.project.ssh(
                "podman image ls -q --no-trunc --filter label=io.corefab.delta "
                "| sort -u | xargs -r podman rmi -f >/dev/null"
            )
            shutil.rmtree(cache)
            shutil.copytree(kept, cache)
            send = partial(bench.ours, new, mode="delta")
            found.append(bench.measure(send, memory=number == _ROUNDS))
        *timed, last = found
        middle = sorted(timed, key=lambda cost: cost.wall)[_ROUNDS // 2]
        costs[case] = replace(middle, memory_here=last.memory_here, memory_there=last.memory_there)
        bench.tell("  " + shown("corefab, delta", costs[case]))
        bench.tell(f"  {bench.said}")
    _verdicts(bench, costs)


def _verdicts(bench: Bench, costs: dict[str, Cost]) -> None:
    small, base = costs["small file changed"], costs["base updated"]
    around = costs["nothing changed"].wall
    bench.tell(f"delta, small file: {small.up} bytes up, limit 15000", met=small.up < 15_000)
    bench.tell(f"delta, small file: {small.wall:.2f} s, limit 0.6", met=small.wall < 0.6)
    bench.tell(f"  of that, {around:.2f} s is the command that finds nothing changed")
    bench.tell(f"delta, base updated: {base.up} bytes up, limit 6000000", met=base.up < 6_000_000)
    bench.tell(f"delta, base updated: {base.wall:.2f} s, limit 1.5", met=base.wall < 1.5)
    for case, cost in (("small file", small), ("base updated", base)):
        memory, work = cost.memory_there / 2**20, cost.processor_there
        bench.tell(f"delta, {case}: {memory:.0f} MiB on the node, limit 64", met=memory < 64)
        bench.tell(f"delta, {case}: {work:.2f} s of its processor, limit 1", met=work < 1)


def alone() -> None:
    """Boot a node and measure only this."""
    with tempfile.TemporaryDirectory(prefix="corefab-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        project = make_project(
            folder / "project", f"benchd{os.getpid()}", IMAGE="localhost/benchd:1", **SECRETS
        )
        try:
            for words in (("cert-issue",), ("prepare", "--yes"), ("node-up",)):
                project.must(*words)
            bench = Bench(project, folder)
            measure(bench, *_images(folder))
        finally:
            project.node_down()


def _images(folder: Path) -> tuple[Built, Built, Built]:
    base = debian(stock.tree(lambda _: None))
    app, top = texts("srv/app", 400, 100_000, 1), texts("srv/top", 60, 4_000, 2)
    files = {
        "base": base, "app": app, "top": top, "base2": updated(base, 0.03),
        "top2": one_changed(top, 30, lambda text: text[:100] + b"one line\n" + text[100:]),
    }  # fmt: skip
    tars = {name: write_layer(one, folder / f"{name}.tar") for name, one in files.items()}
    return (
        build("localhost/benchd:1", (tars["base"], tars["app"], tars["top"]), folder),
        build("localhost/benchd:2", (tars["base"], tars["app"], tars["top2"]), folder),
        build("localhost/benchd:4", (tars["base2"], tars["app"], tars["top"]), folder),
    )


if __name__ == "__main__":
    alone()
