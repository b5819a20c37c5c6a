"""The only room that prints."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Console
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
from rich.table import Table

from deploy.prompt import has_terminal

# A file or a pipe has no width of its own: nothing must be folded there.
_WIDTH = None if sys.stdout.isatty() else 400
_console = Console(highlight=False, emoji=False, soft_wrap=True, width=_WIDTH)
_errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line."""
    _console.print(text, markup=False)


def good(text: str) -> None:
    """Print a line about something that went well."""
    _console.print(f"[green]✓[/] {escape(text)}")


def warn(text: str) -> None:
    """Print a warning, apart from the output."""
    _errors.print(f"[yellow]warning:[/] {escape(text)}")


def fail(message: str, hint: str) -> None:
    """Print what went wrong and what to do."""
    _errors.print(f"[bold red]error:[/] {escape(message)}")
    if hint:
        _errors.print(f"[bold]what to do:[/] {escape(hint)}")


@contextmanager
def step(summary: str) -> Iterator[None]:
    """Show a step, then how long it took."""
    began = time.monotonic()
    with _console.status(escape(summary)):
        yield
    _console.print(f"[green]✓[/] {escape(summary)} [dim]{time.monotonic() - began:.1f} s[/]")


@contextmanager
def progress(summary: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar of `total` bytes; the block gets a function to move it on by some."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=_console, transient=True) as bar:
        task = bar.add_task(summary, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def percentage(summary: str) -> Iterator[Callable[[int], None]]:
    """Show a bar in percent; the block gets a function to say how far it is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=_console, transient=True, disable=not has_terminal()) as bar:
        task = bar.add_task(escape(summary), total=100)
        yield lambda percent: bar.update(task, completed=percent)
    _console.print(f"[green]✓[/] {escape(summary)} [dim]{time.monotonic() - began:.1f} s[/]")


class _Way:
    """How progress is shown: bars and lines for people, or events for programs."""

    events = False


def progress_as_events(*, on: bool) -> None:
    """Show transfers as lines of JSON instead of bars."""
    _Way.events = on


@contextmanager
def transfer(
    summary: str, total: int, *, where: str = ""
) -> Iterator[Callable[[str, int, int], None]]:
    """Show an image on its way: a bar for each layer on a terminal, and a line in the end.

    Of several nodes each is named, and has no bars: they would take turns in the same place.

    The block gets a function to tell the layer, bytes that went over, bytes of it that are there.
    """
    count = _Count(time.monotonic())
    names = {"node": where} if where else {}
    with _bars(summary, total, shown=has_terminal() and not where) as show:

        def tell(layer: str, sent: int, covered: int) -> None:
            wire, done = count.add(layer, sent, covered)
            if _Way.events:
                event = {"event": "layer", "layer": layer, "sent": wire, "there": done}
                click.echo(json.dumps(names | event))
            else:
                show(layer, count)

        yield tell
    if _Way.events:
        event = {"event": "end", "sent": count.sent, "there": count.there}
        click.echo(json.dumps(names | event))
    else:
        say(f"  {where}: {count}" if where else f"  {count}")


@dataclass
class _Count:
    began: float
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
def _bars(summary: str, total: int, *, shown: bool) -> Iterator[Callable[[str, _Count], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[sent]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console, transient=True, disable=not shown) as bar:
        whole = bar.add_task(escape(summary), total=total, sent="")
        tasks: dict[str, TaskID] = {}

        def show(layer: str, count: _Count) -> None:
            if layer not in tasks:
                tasks[layer] = bar.add_task(f"  layer {layer[7:19]}", total=None, sent="")
            wire = f"{size(count.wire[layer])} sent"
            bar.update(tasks[layer], completed=count.done[layer], sent=wire)
            bar.update(whole, completed=count.there, sent=str(count))

        yield show


def size(count: float) -> str:
    """Write bytes for people, with three figures."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 -- of one unit make the next
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    _console.print(shown)


def as_json(value: Mapping[str, object]) -> None:
    """Print a value as JSON, for programs."""
    click.echo(json.dumps(value, indent=2, default=str))


def plain(text: str) -> None:
    """Print text as it is, for programs."""
    click.echo(text, nl=False)
