"""Print lines, warnings, tables and JSON."""

import json
import sys
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

# A file or a pipe has no width: do not wrap lines there.
_WIDTH = None if sys.stdout.isatty() else 400
console = Console(highlight=False, emoji=False, soft_wrap=True, width=_WIDTH)
_errors = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line."""
    console.print(text, markup=False)


def good(text: str, *, seconds: float | None = None) -> None:
    """Print a line with a tick, and how long it took."""
    took = "" if seconds is None else f" [dim]{seconds:.1f} s[/]"
    console.print(f"[green]✓[/] {escape(text)}{took}")


def bad(text: str) -> None:
    """Print a line with a cross; the error follows."""
    console.print(f"[red]✗[/] {escape(text)}")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    _errors.print(f"[yellow]warning:[/] {escape(text)}")


def fail(message: str, hint: str) -> None:
    """Print an error and its hint on stderr."""
    _errors.print(f"[bold red]error:[/] {escape(message)}")
    if hint:
        _errors.print(f"[bold]what to do:[/] {escape(hint)}")


def count(number: int, noun: str) -> str:
    """Write a number of things: 1 error, 2 errors."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def trace(text: str) -> None:
    """Print a traceback on stderr."""
    _errors.print(text, markup=False, end="")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    console.print(shown)


def as_json(value: Mapping[str, object]) -> None:
    """Print a value as JSON, for programs."""
    click.echo(json.dumps(value, indent=2, default=str))


def plain(text: str) -> None:
    """Print text unchanged, for programs."""
    click.echo(text, nl=False)
