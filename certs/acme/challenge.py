"""Challenges of an authority, and the protocol of a solver that shows them."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["http-01", "dns-01"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One thing to show in public until the authority has seen it.

    For `http-01`, `where` is a path such as /.well-known/acme-challenge/TOKEN, to be answered with
    `content` over plain HTTP on port 80 of `name`. For `dns-01`, `where` is the name of a TXT
    record and `content` its value; two challenges may share a record and need both values.
    """

    kind: Kind
    name: str
    where: str
    content: str


class Solver(Protocol):
    """Shows challenges. Its own errors pass through unchanged."""

    @property
    def kind(self) -> Kind:
        """The type of challenge it can show."""

    def present(self, challenge: Challenge) -> None:
        """Show a challenge; return when the authority could see it."""

    def cleanup(self, challenge: Challenge) -> None:
        """Stop showing a challenge; called after every `show`, even a failed one."""
