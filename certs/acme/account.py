"""Open an account with an authority, and the connection that uses it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from acme import client, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256, ES384, ES512, RS256, JWASignature
from josepy.jwk import JWK, JWKEC, JWKRSA

from certs.acme.failure import speaking
from certs.errors import CertError
from certs.keyfile import PrivateKey

# The library tries twice. An authority with several front ends may refuse its own nonces more
# often, and Pebble does so on purpose.
_NONCE_TRIES = 8
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_NEEDED = ("newNonce", "newAccount", "newOrder")
_EC_ALGORITHMS = {"secp256r1": ES256, "secp384r1": ES384, "secp521r1": ES512}


@dataclass(frozen=True, slots=True)
class Server:
    """An authority by its directory. `trust` is a file with roots for its own TLS certificate."""

    directory: str
    trust: Path | None = None
    timeout_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Binding:
    """External account binding (RFC 8555, 7.3.4); the HMAC key is base64url text."""

    key_id: str
    hmac_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """The account's key and owner. `terms_agreed`: the operator accepts the authority's terms."""

    key: PrivateKey = field(repr=False)
    email: str = ""
    terms_agreed: bool = False
    binding: Binding | None = None


class _Network(client.ClientNetwork):
    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(_NONCE_TRIES - 1):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)


@contextmanager
def connect(server: Server, account: Account) -> Iterator[client.ClientV2]:
    """Find this key's account with the authority, or create it; raise CertError."""
    jwk, algorithm = _signing(account.key)
    with reach(server, key=jwk, alg=algorithm) as found:
        with speaking(server.directory):
            _log_in(found, server, account)
        yield found


@contextmanager
def reach(server: Server, **signing: Any) -> Iterator[client.ClientV2]:
    """Connect without an account; only public requests work without `signing`. Raises CertError."""
    network = _Network(user_agent="corefab", timeout=server.timeout_seconds, **signing)
    if server.trust is not None:
        # Passed on to requests, which takes the path of a file as well.
        network.verify_ssl = str(server.trust)  # type: ignore[assignment]
    with closing(network.session):
        yield _client(server, network)


def _log_in(found: client.ClientV2, server: Server, account: Account) -> None:
    try:
        found.new_account(_registration(only_return_existing=True))
    except errors.ConflictError as existing:
        found.net.account = messages.RegistrationResource(
            uri=existing.location, body=messages.Registration()
        )
        return
    except messages.Error as error:
        if error.code != "accountDoesNotExist":
            raise
    _register(found, server, account)


def _client(server: Server, network: _Network) -> client.ClientV2:
    _check_address(server.directory)
    with speaking(server.directory):
        try:
            directory = client.ClientV2.get_directory(server.directory, network)
        except OSError as error:
            # requests raises a plain OSError only when the file of roots is missing.
            if isinstance(error, requests.RequestException):
                raise
            raise CertError(
                f"{server.trust}: {error}", "give a PEM file with the authority's root"
            ) from error
        lacking = [name for name in _NEEDED if not isinstance(directory[name], str)]
    if lacking:
        raise CertError(f"{server.directory}: lacks {', '.join(lacking)}", "check the address")
    return client.ClientV2(directory, network)


def _check_address(directory: str) -> None:
    try:
        address = urlsplit(directory)
        sound = address.scheme == "https" or address.hostname in _THIS_MACHINE
    except ValueError:
        sound = False
    if not sound:
        raise CertError(
            f"{directory!r} is not the address of an ACME directory", "give an https:// address"
        )


def _register(found: client.ClientV2, server: Server, account: Account) -> None:
    terms = found.directory.meta.terms_of_service
    if terms and not account.terms_agreed:
        raise CertError(
            f"{server.directory}: its terms are not agreed to: {terms}",
            "read them, then agree to them in the settings",
        )
    found.new_account(
        _registration(
            email=account.email or None,
            terms_of_service_agreed=True,
            external_account_binding=_bound(found, account),
        )
    )


def _registration(**fields: Any) -> messages.NewRegistration:
    return messages.NewRegistration.from_data(**fields)


def _bound(found: client.ClientV2, account: Account) -> dict[str, Any] | None:
    if account.binding is None:
        return None
    if found.net.key is None:
        raise TypeError(found.net)
    try:
        return messages.ExternalAccountBinding.from_data(
            found.net.key.public_key(),
            account.binding.key_id,
            account.binding.hmac_key,
            found.directory,
        )
    except (ValueError, TypeError) as error:
        raise CertError(
            "the HMAC key of the account's binding is not base64url text",
            "copy it again from the authority; it has letters, digits, - and _ only",
        ) from error


def _signing(key: PrivateKey) -> tuple[JWK, JWASignature]:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return JWKEC(key=key), _EC_ALGORITHMS[key.curve.name]
    return JWKRSA(key=key), RS256
