"""Print lines, warnings, tables and JSON."""

import json
import sys
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.console.visible import visible

# A file or a pipe has no width: do not wrap lines there.
_WIDTH = None if sys.stdout.isatty() else 400
console = Console(highlight=False, emoji=False, soft_wrap=True, width=_WIDTH)
_errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def shown(text: str) -> str:
    """Escape rich's markup and control characters; every text that rich shows passes here."""
    return escape(visible(text))


def say(text: str) -> None:
    """Print a line."""
    console.print(visible(text), markup=False)


def good(text: str, *, seconds: float | None = None) -> None:
    """Print a line with a tick, and how long it took."""
    took = "" if seconds is None else f" [dim]{seconds:.1f} s[/]"
    console.print(f"[green]✓[/] {shown(text)}{took}")


def bad(text: str) -> None:
    """Print a line with a cross; the error follows."""
    console.print(f"[red]✗[/] {shown(text)}")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    _errors.print(f"[yellow]warning:[/] {shown(text)}")


def fail(message: str, hint: str) -> None:
    """Print an error and its hint on stderr."""
    _errors.print(f"[bold red]error:[/] {shown(message)}")
    if hint:
        _errors.print(f"[bold]what to do:[/] {shown(hint)}")


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 error, 2 errors."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def trace(text: str) -> None:
    """Print a traceback on stderr."""
    _errors.print(visible(text), markup=False, end="")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    made = Table(
        title=shown(title), title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in columns:
        made.add_column(shown(column), overflow="fold")
    for row in rows:
        made.add_row(*map(shown, row))
    console.print(made)


def as_json(value: Mapping[str, object]) -> None:
    """Print a value as JSON, for programs."""
    click.echo(json.dumps(value, indent=2, default=str).replace("\x7f", "\\u007f"))


def plain(text: str) -> None:
    """Print text without colours or line breaks, for programs."""
    click.echo(visible(text), nl=False)
