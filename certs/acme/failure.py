"""Turn errors of a conversation with an authority into CertError."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from acme import challenges, errors, messages
from josepy.errors import Error as JoseError

from certs.errors import CertError, Problem, refusal

_HINTS = {
    "rateLimited": "wait as long as it says; try things out with the authority's staging directory",
    "externalAccountRequired": "give the key id and the HMAC key that the authority handed out",
    "unauthorized": "check the account's key and binding",
    "rejectedIdentifier": "leave out the names that this authority does not issue for",
    "caa": "allow this authority in the CAA record of the name's zone",
    "userActionRequired": "follow the authority's instructions, then try again",
    "invalidContact": "correct the account's e-mail address",
    "unsupportedContact": "correct the account's e-mail address",
    "badNonce": "try again; the authority is overloaded or behind a faulty proxy",
    "serverInternal": "try again later",
}
_SHOWN = {
    "http-01": "port 80 of this name must reach the node from the internet",
    "dns-01": "the TXT record must be on all of the zone's name servers before it is looked for",
}
_SERVERS_FAULT = 500
# The libraries pass on whatever their parsing of a strange answer happens to raise.
_STRANGE = (
    errors.Error,
    JoseError,
    requests.RequestException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)


def challenge_type(body: messages.ChallengeBody) -> str:
    """Read the type of a challenge, also one that the library does not know."""
    if isinstance(body.chall, challenges.UnrecognizedChallenge):
        return str(body.chall.jobj.get("type") or "one without a type")
    return str(body.chall.typ)


@contextmanager
def speaking(directory: str) -> Iterator[None]:
    """Turn any error of the block into a CertError that names the authority's directory."""
    try:
        yield
    except errors.ValidationError as error:
        raise refusal(directory, list(_unproven(error))) from error
    except _STRANGE as error:
        message, hint = _explain(error)
        raise CertError(f"{directory}: {message}", hint) from error


def _explain(error: Exception) -> tuple[str, str]:
    """Say what failed, and what to do."""
    match error:
        case requests.exceptions.SSLError():
            return _unencrypted(_innermost(error))
        case requests.exceptions.ConnectionError() | requests.exceptions.Timeout():
            return (
                f"cannot be reached: {_words(_innermost(error))}",
                "check the address and this machine's connection; the present certificate stays",
            )
        case errors.TimeoutError():
            return (
                "was not finished in time",
                "try again: what is already validated is kept by most authorities; "
                "or be more patient",
            )
        case (messages.Error() as problem) | errors.IssuanceError(
            error=messages.Error() as problem
        ):
            code = problem.code or problem.typ
            return (
                f"refused ({code}): {_details(problem)}",
                _HINTS.get(str(code), "correct what the authority names"),
            )
        case errors.ClientError(args=(requests.Response(ok=False) as answer, *_)):
            return (
                f"answers with status {answer.status_code} at {answer.url}",
                "try again later" if answer.status_code >= _SERVERS_FAULT else "check the address",
            )
    return (
        f"the answer makes no sense ({type(error).__name__}: {str(error)[:200]})",
        "check that this is an ACME directory; if it is, try again later",
    )


def _unencrypted(root: BaseException) -> tuple[str, str]:
    if not isinstance(root, ssl.SSLCertVerificationError):
        return f"no TLS there: {_words(root)}", "check the address and port"
    return (
        f"its own TLS certificate is not trusted: {root.verify_message}",
        "check the address; for an authority of your own, give the file with its root certificate",
    )


def _innermost(error: BaseException) -> BaseException:
    # requests wraps urllib3, which wraps the system's error, each in a way of its own.
    places = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
    inner = next((one for one in places if isinstance(one, BaseException)), None)
    return error if inner is None else _innermost(inner)


def _words(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _details(problem: messages.Error) -> str:
    below = [f"{part.identifier}: {part.detail}" for part in problem.subproblems or ()]
    return "; ".join([str(problem.detail or problem.title), *below])


def _unproven(error: errors.ValidationError) -> Iterator[Problem]:
    for authorization in error.failed_authzrs:
        for shown in authorization.body.challenges:
            if shown.error is not None:
                kind = challenge_type(shown)
                yield Problem(
                    f"{authorization.body.identifier.value} was not proven by {kind}: "
                    f"{shown.error.detail}",
                    _SHOWN.get(kind, ""),
                )
