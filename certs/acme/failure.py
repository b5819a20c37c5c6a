"""Turn errors of a conversation with an authority into CertError."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from acme import errors, messages
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


@contextmanager
def speaking(directory: str) -> Iterator[None]:
    """Turn any error of the block into a CertError that names the authority's directory."""
    try:
        yield
    except _STRANGE as error:
        raise _said(directory, error) from error


def _said(directory: str, error: Exception) -> CertError:
    for kind, say in _SAYERS:
        if isinstance(error, kind):
            return say(directory, error)
    return _strange(directory, error)


def _unencrypted(directory: str, error: Exception) -> CertError:
    root = _innermost(error)
    if not isinstance(root, ssl.SSLCertVerificationError):
        return CertError(f"{directory}: no TLS there: {_words(root)}", "check the address and port")
    return CertError(
        f"{directory}: its own TLS certificate is not trusted: {root.verify_message}",
        "check the address; for an authority of your own, give the file with its root certificate",
    )


def _unreachable(directory: str, error: Exception) -> CertError:
    return CertError(
        f"{directory}: cannot be reached: {_words(_innermost(error))}",
        "check the address and this machine's connection; the present certificate stays",
    )


def _innermost(error: BaseException) -> BaseException:
    # requests wraps urllib3, which wraps the system's error, each in a way of its own.
    places = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
    inner = next((one for one in places if isinstance(one, BaseException)), None)
    return error if inner is None else _innermost(inner)


def _words(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _failed(directory: str, error: Exception) -> CertError:
    answer = next((one for one in error.args if isinstance(one, requests.Response)), None)
    if answer is None or answer.ok:
        return _strange(directory, error)
    return CertError(
        f"{directory}: answers with status {answer.status_code} at {answer.url}",
        "try again later" if answer.status_code >= _SERVERS_FAULT else "check the address",
    )


def _strange(directory: str, error: Exception) -> CertError:
    return CertError(
        f"{directory}: the answer makes no sense ({type(error).__name__}: {str(error)[:200]})",
        "check that this is an ACME directory; if it is, try again later",
    )


def _slow(directory: str, _error: Exception) -> CertError:
    return CertError(
        f"{directory}: was not finished in time",
        "try again: what is already validated is kept by most authorities; or be more patient",
    )


def _refused(directory: str, error: Exception) -> CertError:
    problem = getattr(error, "error", error)
    if not isinstance(problem, messages.Error):
        return CertError(f"{directory}: refused: {error}")
    code = problem.code or problem.typ
    return CertError(
        f"{directory}: refused ({code}): {_details(problem)}",
        _HINTS.get(str(code), "correct what the authority names"),
    )


def _details(problem: messages.Error) -> str:
    below = [f"{part.identifier}: {part.detail}" for part in problem.subproblems or ()]
    return "; ".join([str(problem.detail or problem.title), *below])


def _unproven(directory: str, error: Exception) -> CertError:
    if not isinstance(error, errors.ValidationError):
        raise TypeError(error)
    return refusal(directory, list(_unproven_names(error)))


def _unproven_names(error: errors.ValidationError) -> Iterator[Problem]:
    for authorization in error.failed_authzrs:
        for shown in authorization.body.challenges:
            if shown.error is not None:
                yield Problem(
                    f"{authorization.body.identifier.value} was not proven by {shown.chall.typ}: "
                    f"{shown.error.detail}",
                    _SHOWN.get(shown.chall.typ, ""),
                )


_SAYERS: tuple[tuple[type[Exception], Callable[[str, Exception], CertError]], ...] = (
    (requests.exceptions.SSLError, _unencrypted),
    (requests.exceptions.ConnectionError, _unreachable),
    (requests.exceptions.Timeout, _unreachable),
    (errors.ValidationError, _unproven),
    (errors.TimeoutError, _slow),
    (errors.IssuanceError, _refused),
    (messages.Error, _refused),
    (errors.ClientError, _failed),
)
