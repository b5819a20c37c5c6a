"""Terminal prompts. Must import fast: `has_terminal` runs before the SSH login starts."""

import sys

import click

from deploy.console.visible import visible


def has_terminal() -> bool:
    """Tell whether stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, *, hidden: bool = False) -> str:
    """Ask for a value; a hidden one is typed twice and not shown."""
    answer: str = click.prompt(visible(question), hide_input=hidden, confirmation_prompt=hidden)
    return answer


def ask_secret(question: str) -> str:
    """Ask for an existing secret; it is typed once and not shown."""
    answer: str = click.prompt(visible(question), hide_input=True)
    return answer


def confirm(question: str) -> bool:
    """Ask yes or no; the default is no."""
    return click.confirm(visible(question), default=False)
