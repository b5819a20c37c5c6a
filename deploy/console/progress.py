"""Show progress: steps, bars, and transfers of images."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from deploy.console import output
from deploy.console.output import size
from deploy.console.prompt import has_terminal

_NOTHING_SENT = "nothing to send: the node has every layer already"


@contextmanager
def step(title: str, done: str = "") -> Iterator[None]:
    """Show a title while the block runs; then `done` with the time taken, or a cross."""
    began = time.monotonic()
    with _crossed(title), output.console.status(escape(title)):
        yield
    output.good(done or title, seconds=time.monotonic() - began)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` bytes; the block gets a function that adds bytes."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with _crossed(title), Progress(*columns, console=output.console, transient=True) as bar:
        task = bar.add_task(escape(title), total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def percentage(title: str) -> Iterator[Callable[[int], None]]:
    """Show a bar in percent; the block gets a function that sets the percentage."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    shown = Progress(*columns, console=output.console, transient=True, disable=not has_terminal())
    with _crossed(title), shown as bar:
        task = bar.add_task(escape(title), total=100)
        yield lambda percent: bar.update(task, completed=percent)
    output.good(title, seconds=time.monotonic() - began)


@contextmanager
def transfer(
    title: str, total: int, *, where: str = "", events: bool = False
) -> Iterator[Callable[[str, int, int], None]]:
    """Show an image's transfer: a bar for each layer on a terminal, and a line at the end.

    With several nodes, `where` names this one; bars are not shown, they would overwrite each
    other. With `events`, progress is lines of JSON instead.

    The block gets a function that reports a layer, the bytes sent, and the bytes of it they cover.
    """
    shown = _events(where) if events else _lines(title, total, where)
    with shown as advance:
        yield advance


@contextmanager
def _crossed(title: str) -> Iterator[None]:
    """Print the title with a cross when the block fails."""
    try:
        yield
    except BaseException:
        output.bad(title)
        raise


@contextmanager
def _events(where: str) -> Iterator[Callable[[str, int, int], None]]:
    count = _Count()
    names = {"node": where} if where else {}

    def write(event: dict[str, object]) -> None:
        output.plain(json.dumps(names | event) + "\n")

    def advance(layer: str, sent: int, covered: int) -> None:
        wire, done = count.add(layer, sent, covered)
        write({"event": "layer", "layer": layer, "sent": wire, "there": done})

    yield advance
    write({"event": "end", "sent": count.sent, "there": count.there})


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
    output.say(f"  {name}{count if count.there or count.sent else _NOTHING_SENT}")


@dataclass
class _Count:
    """For each layer, the bytes sent and the bytes of the layer they cover."""

    began: float = field(default_factory=time.monotonic)
    wire: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def add(self, layer: str, sent: int, covered: int) -> tuple[int, int]:
        self.wire[layer] = self.wire.get(layer, 0) + sent
        self.done[layer] = self.done.get(layer, 0) + covered
        return self.wire[layer], self.done[layer]

    @property
    def sent(self) -> int:
        return sum(self.wire.values())

    @property
    def there(self) -> int:
        return sum(self.done.values())

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        return (
            f"{size(self.sent)} sent for {size(self.there)} of layers, "
            f"{size(max(self.there - self.sent, 0))} saved, in {seconds:.1f} s "
            f"({size(self.sent / seconds)}/s)"
        )


@contextmanager
def _bars(title: str, total: int, *, shown: bool) -> Iterator[Callable[[str, _Count], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[sent]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=output.console, transient=True, disable=not shown) as bar:
        whole = bar.add_task(escape(title), total=total, sent="")
        tasks: dict[str, TaskID] = {}

        def show(layer: str, count: _Count) -> None:
            if layer not in tasks:
                tasks[layer] = bar.add_task(f"  layer {layer[7:19]}", total=None, sent="")
            wire = f"{size(count.wire[layer])} sent"
            bar.update(tasks[layer], completed=count.done[layer], sent=wire)
            bar.update(whole, completed=count.there, sent=str(count))

        yield show
