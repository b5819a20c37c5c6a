"""Show progress: steps, bars, and transfers of images."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from deploy.console import output
from deploy.console.prompt import has_terminal
from deploy.console.size import size

_NOTHING_SENT = "nothing to send: the node has every layer already"


@contextmanager
def step(title: str, done: str = "") -> Iterator[None]:
    """Show a title while the block runs; then `done` with the time taken, or a cross."""
    with _timed(title, done), output.console.status(output.shown(title)):
        yield


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` bytes; the block gets a function that adds bytes."""
    shown = has_terminal()
    with _crossed(title), _bar(DownloadColumn(), TransferSpeedColumn(), shown=shown) as bar:
        task = bar.add_task(output.shown(title), total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def percentage(title: str) -> Iterator[Callable[[int], None]]:
    """Show a bar in percent; the block gets a function that sets the percentage."""
    shown = _bar(TaskProgressColumn(), TimeRemainingColumn(), shown=has_terminal())
    with _timed(title), shown as bar:
        task = bar.add_task(output.shown(title), total=100)
        yield lambda percent: bar.update(task, completed=percent)


def transfer(
    title: str, total: int, *, where: str = "", events: bool = False
) -> AbstractContextManager[Callable[[str, int, int], None]]:
    """Show an image's transfer: a bar for each layer on a terminal, and a line at the end.

    With several nodes, `where` names this one; bars are not shown, they would overwrite each
    other. With `events`, progress is lines of JSON instead.

    The block gets a function that reports a layer, the bytes sent, and the bytes of it they cover.
    """
    return _events(where) if events else _lines(title, total, where)


@contextmanager
def _crossed(title: str) -> Iterator[None]:
    """Print the title with a cross when the block fails."""
    try:
        yield
    except BaseException:
        output.bad(title)
        raise


@contextmanager
def _timed(title: str, done: str = "") -> Iterator[None]:
    """Print what was done and the time taken, or the title with a cross."""
    began = time.monotonic()
    with _crossed(title):
        yield
    output.good(done or title, seconds=time.monotonic() - began)


def _bar(*columns: ProgressColumn, shown: bool = True) -> Progress:
    described = (TextColumn("{task.description}"), BarColumn())
    return Progress(*described, *columns, console=output.console, transient=True, disable=not shown)


@contextmanager
def _events(where: str) -> Iterator[Callable[[str, int, int], None]]:
    count = _Count()
    node = {"node": where} if where else {}

    def write(event: str, sent: int, there: int, **names: str) -> None:
        text = {**node, "event": event, **names, "sent": sent, "there": there}
        output.plain(json.dumps(text) + "\n")

    def advance(layer: str, sent: int, covered: int) -> None:
        count.add(layer, sent, covered)
        write("layer", count.sent[layer], count.there[layer], layer=layer)

    yield advance
    write("end", count.sent.total(), count.there.total())


@contextmanager
def _lines(title: str, total: int, where: str) -> Iterator[Callable[[str, int, int], None]]:
    count = _Count()
    name = f"{where}: " if where else ""
    shown = has_terminal() and not where
    with _crossed(f"{name}{title}"), _bars(title, total, shown=shown) as show:

        def advance(layer: str, sent: int, covered: int) -> None:
            count.add(layer, sent, covered)
            show(layer, count)

        yield advance
    output.say(f"  {name}{count if count.there.total() or count.sent.total() else _NOTHING_SENT}")


@dataclass
class _Count:
    """For each layer, the bytes sent and the bytes of it that are now there."""

    began: float = field(default_factory=time.monotonic)
    sent: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)

    def add(self, layer: str, sent: int, covered: int) -> None:
        self.sent[layer] += sent
        self.there[layer] += covered

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        sent, there = self.sent.total(), self.there.total()
        return (
            f"{size(sent)} sent for {size(there)} of layers, {size(max(there - sent, 0))} saved, "
            f"in {seconds:.1f} s ({size(sent / seconds)}/s)"
        )


@contextmanager
def _bars(title: str, total: int, *, shown: bool) -> Iterator[Callable[[str, _Count], None]]:
    columns = (DownloadColumn(), TextColumn("{task.fields[sent]}"), TimeRemainingColumn())
    with _bar(*columns, shown=shown) as bar:
        whole = bar.add_task(output.shown(title), total=total, sent="")
        tasks: dict[str, TaskID] = {}

        def show(layer: str, count: _Count) -> None:
            if layer not in tasks:
                tasks[layer] = bar.add_task(
                    output.shown(f"  layer {layer[7:19]}"), total=None, sent=""
                )
            sent = f"{size(count.sent[layer])} sent"
            bar.update(tasks[layer], completed=count.there[layer], sent=sent)
            bar.update(whole, completed=count.there.total(), sent=str(count))

        yield show
