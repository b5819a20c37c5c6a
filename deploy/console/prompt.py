"""The only room that asks; it loads quickly, for it is asked before a login whether it could."""

import sys

import click


def has_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, *, hidden: bool = False) -> str:
    """Ask for a value; a secret's input is hidden and asked for twice."""
    answer: str = click.prompt(question, hide_input=hidden, confirmation_prompt=hidden)
    return answer


def ask_secret(question: str) -> str:
    """Ask once for a secret that exists already."""
    answer: str = click.prompt(question, hide_input=True)
    return answer


def confirm(question: str) -> bool:
    """Ask yes or no; no is the default."""
    return click.confirm(question, default=False)
