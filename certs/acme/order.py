"""Order a certificate: prove each name by a challenge that a solver shows, then have it issued."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias

from acme import challenges, client, messages
from cryptography import x509
from josepy.jwk import JWK

from certs.acme.account import Account, Server, connect, reach
from certs.acme.failure import challenge_type, speaking
from certs.certificate import Certificate, extension
from certs.chain import Chain, read_chain
from certs.errors import CertError, Problem, refusal
from certs.names import normal
from certs.signing_request import requested_names

Kind: TypeAlias = Literal["http-01", "dns-01"]
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


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
        """Stop showing a challenge; called after every `present`, even a failed one."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A challenge to show, and the answer that reports it to the authority."""

    challenge: Challenge
    body: messages.ChallengeBody
    answer: challenges.ChallengeResponse


def obtain(
    server: Server,
    account: Account,
    request: bytes,
    solver: Solver,
    *,
    patience: timedelta = timedelta(minutes=5),
) -> Chain:
    """Get a certificate for a PEM signing request; raise CertError, or the solver's own errors.

    Each name that is not yet proven is proven with the solver; challenges are removed at the end.
    `patience` bounds all waiting. The chain still has to pass the usual checks.
    """
    with connect(server, account) as found:
        # The library compares with the local time without a zone.
        deadline = datetime.now() + patience  # noqa: DTZ005
        with speaking(server.directory):
            order = found.new_order(request)
        tasks = _tasks(server, found, order, solver)
        _check_asked(server, request, tasks)
        with ExitStack() as undo:
            for task in tasks:
                undo.callback(solver.cleanup, task.challenge)
                solver.present(task.challenge)
            with speaking(server.directory):
                for task in tasks:
                    found.answer_challenge(task.body, task.answer)
                order = found.poll_authorizations(order, deadline)
        with speaking(server.directory):
            pem = found.finalize_order(order, deadline).fullchain_pem.encode("ascii")
    return read_chain(pem, source=f"the answer of {server.directory}")


def suggested_renewal(server: Server, certificate: Certificate) -> datetime | None:
    """Ask when to renew (RFC 9773); None if the authority does not say."""
    if extension(certificate.x509(), x509.AuthorityKeyIdentifier) is None:
        return None  # the authority knows certificates by it
    with speaking(server.directory), reach(server) as found:
        return found.renewal_time(certificate.pem)[0]


def _tasks(
    server: Server, found: client.ClientV2, order: messages.OrderResource, solver: Solver
) -> tuple[_Task, ...]:
    with speaking(server.directory):
        pending = [
            one for one in order.authorizations if one.body.status == messages.STATUS_PENDING
        ]
        chosen = [_task(found.net.key, one.body, solver.kind) for one in pending]
        missing = [
            _unprovable(one.body, solver.kind)
            for one, task in zip(pending, chosen, strict=True)
            if task is None
        ]
    if missing:
        raise refusal(server.directory, missing)
    return tuple(task for task in chosen if task is not None)


def _check_asked(server: Server, request: bytes, tasks: Sequence[_Task]) -> None:
    # Names become parts of commands and records; an authority must not bring in others.
    asked = {name.removeprefix("*.") for name in requested_names(request)}
    strangers = [task.challenge.name for task in tasks if normal(task.challenge.name) not in asked]
    if strangers:
        raise CertError(
            f"{server.directory}: wants {strangers} proven, which were not requested",
            "do not use this authority",
        )


def _unprovable(wanted: messages.Authorization, kind: str) -> Problem:
    offered = ", ".join(sorted(map(challenge_type, wanted.challenges))) or "nothing"
    star = "*." if wanted.wildcard else ""
    return Problem(
        f"{star}{wanted.identifier.value} cannot be proven by {kind}; offered: {offered}",
        "wildcards need dns-01, addresses http-01",
    )


def _task(key: JWK | None, wanted: messages.Authorization, kind: str) -> _Task | None:
    body = next((one for one in wanted.challenges if challenge_type(one) == kind), None)
    if body is None or key is None:
        return None
    token = body.chall.encode("token")
    # It becomes part of a path on the node, so an authority must not choose it freely.
    if not _TOKEN.match(token):
        raise CertError(f"a challenge's token is {token!r}", "do not use this authority")
    name, content = wanted.identifier.value, body.validation(key)
    if isinstance(body.chall, challenges.DNS01):
        shown = Challenge("dns-01", name, body.chall.validation_domain_name(name), content)
    else:
        shown = Challenge("http-01", name, body.chall.path, content)
    return _Task(shown, body, body.response(key))
