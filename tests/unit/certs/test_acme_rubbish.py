"""An authority that is down, refuses, or answers rubbish: CertError, and nothing left shown."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

import pytest
from acme import errors, messages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certs.acme.account import Account, Server
from certs.acme.failure import speaking
from certs.acme.order import obtain, suggested_renewal
from certs.authority import issue, new_authority
from certs.errors import CertError
from certs.keyfile import new_key
from certs.signing_request import signing_request
from tests.examples import examples
from tests.unit.certs.forge import DAY, Recipe, forge
from tests.unit.certs.pebble import Page

pytestmark = pytest.mark.loopback

# Quoted, for it holds itself.
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Answer: TypeAlias = "tuple[int, Json | bytes]"
ACCOUNT = Account(new_key(), terms_agreed=True)
REQUEST = signing_request(["www.example.org"], key=new_key())
CHALLENGE: dict[str, Json] = {
    "type": "http-01",
    "url": "URL/challenge",
    "status": "pending",
    "token": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0",
}
GOOD: dict[str, Json] = {
    "/dir": {"newNonce": "URL/nonce", "newAccount": "URL/account", "newOrder": "URL/order"},
    "/account": {"status": "valid"},
    "/order": {
        "status": "pending",
        "identifiers": [{"type": "dns", "value": "www.example.org"}],
        "authorizations": ["URL/authorization"],
        "finalize": "URL/finalize",
    },
    "/authorization": {
        "status": "pending",
        "identifier": {"type": "dns", "value": "www.example.org"},
        "challenges": [CHALLENGE],
    },
    "/challenge": CHALLENGE,
}


@dataclass(slots=True)
class Fake:
    """Answers with what it is told to, and with good answers elsewhere."""

    told: dict[str, Answer] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        path = "/" + path.split("/")[1]
        status, body = self.told.get(path, (200, GOOD.get(path, {})))
        if isinstance(body, bytes):
            return status, body
        return status, json.dumps(body).replace("URL", self.url).encode()


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with served(Fake()) as found:
        yield found


@contextmanager
def served(fake: Fake) -> Iterator[Fake]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, or each answer waits for an acknowledgement

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = fake.answer(self.path)
            self.send_response(status)
            up = f'<{fake.url}/authorization>;rel="up"'
            sent = {"Replay-Nonce": "bm9uY2U", "Location": f"{fake.url}/1", "Link": up}
            for name, value in (sent | fake.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_POST = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refusal(fake: Fake, **told: Answer) -> CertError:
    """Order with one step answered as told; hand out the refusal that has to follow."""
    fake.told = {f"/{name}": answer for name, answer in told.items()}
    page = Page()
    with pytest.raises(CertError) as caught:
        obtain(Server(f"{fake.url}/dir"), ACCOUNT, REQUEST, page, patience=timedelta(0))
    fake.told = {}
    assert page.shown == {}
    assert fake.url in caught.value.message or "token" in caught.value.message
    return caught.value


def test_the_good_answers_are_good_up_to_waiting(fake: Fake) -> None:
    assert "not finished in time" in refusal(fake).message


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"5", b'"x"', b"null", b"{}", b"\xff", b"[" * 100_000]
)
def test_what_is_no_directory_is_told(fake: Fake, body: bytes) -> None:
    refused = refusal(fake, dir=(200, body))

    assert "makes no sense" in refused.message or "lacks newNonce" in refused.message
    assert "check" in refused.hint


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_server_in_trouble_is_told(fake: Fake, status: int) -> None:
    refused = refusal(fake, dir=(status, b"<html>busy</html>"))

    assert f"status {status} at {fake.url}/dir" in refused.message
    assert ("later" in refused.hint) is (status >= 500)


def test_a_server_that_is_down_is_told() -> None:
    with served(Fake()) as gone:
        pass

    assert refusal(gone).message == f"{gone.url}/dir: cannot be reached: Connection refused"


def test_a_server_without_encryption_is_told(fake: Fake) -> None:
    plain = fake.url.replace("http:", "https:")

    with pytest.raises(CertError, match="no TLS there"):
        obtain(Server(plain), ACCOUNT, REQUEST, Page())


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = Server(f"http://127.0.0.1:{mute.getsockname()[1]}/dir", timeout_seconds=1)

        with pytest.raises(CertError, match="cannot be reached: timed out"):
            obtain(server, ACCOUNT, REQUEST, Page())


def test_a_rate_limit_is_told_with_the_authoritys_words(fake: Fake) -> None:
    limit: Json = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "until Tuesday"}

    refused = refusal(fake, order=(429, limit))

    assert "refused (rateLimited): until Tuesday" in refused.message
    assert "wait" in refused.hint


def test_nonces_refused_for_ever_end_in_an_error(fake: Fake) -> None:
    wrong: Json = {"type": "urn:ietf:params:acme:error:badNonce", "detail": "no"}

    assert "badNonce" in refusal(fake, order=(400, wrong)).message


@pytest.mark.parametrize("token", ["../../etc/passwd", "a/b", "", "a\nb", "x" * 500])
def test_a_token_that_could_leave_its_folder_is_refused(fake: Fake, token: str) -> None:
    body: Json = {**GOOD["/authorization"], "challenges": [{**CHALLENGE, "token": token}]}  # type: ignore[dict-item]

    refusal(fake, authorization=(200, body))


def test_a_challenge_without_a_type_is_refused(fake: Fake) -> None:
    body: Json = {**GOOD["/authorization"], "challenges": [{"type": None}]}  # type: ignore[dict-item]

    assert "offered: one without a type" in refusal(fake, authorization=(200, body)).message


UNKNOWN: Json = {"type": "dns-persist-01", "url": "URL/challenge", "status": "pending"}


def test_a_kind_of_challenge_that_is_not_known_is_passed_over(fake: Fake) -> None:
    both: Json = {**GOOD["/authorization"], "challenges": [UNKNOWN, CHALLENGE]}  # type: ignore[dict-item]

    assert "not finished in time" in refusal(fake, authorization=(200, both)).message


def test_where_only_unknown_kinds_of_challenge_are_offered_they_are_named(fake: Fake) -> None:
    alone: Json = {**GOOD["/authorization"], "challenges": [UNKNOWN]}  # type: ignore[dict-item]

    said = refusal(fake, authorization=(200, alone)).message

    assert "cannot be proven by http-01; offered: dns-persist-01" in said


def test_a_failed_challenge_of_an_unknown_kind_is_named() -> None:
    error = {"type": "urn:ietf:params:acme:error:dns", "detail": "no record"}
    body = messages.Authorization.from_json({
        **GOOD["/authorization"],  # type: ignore[dict-item]
        "challenges": [{**UNKNOWN, "url": "https://a", "error": error}],  # type: ignore[dict-item]
    })  # fmt: skip
    failed = errors.ValidationError([messages.AuthorizationResource(body=body)])

    with (
        pytest.raises(CertError, match="was not proven by dns-persist-01: no record"),
        speaking(""),
    ):
        raise failed


def test_a_name_that_was_not_requested_is_refused(fake: Fake) -> None:
    other: Json = {"type": "dns", "value": "$(reboot).example.org"}
    body: Json = {**GOOD["/authorization"], "identifier": other}  # type: ignore[dict-item]

    assert "were not requested" in refusal(fake, authorization=(200, body)).message


@pytest.mark.parametrize("url", ["http://acme.example.org/dir", "acme.example", "", "https://[x"])
def test_what_is_no_encrypted_address_is_refused(url: str) -> None:
    with pytest.raises(CertError) as caught:
        obtain(Server(url), ACCOUNT, REQUEST, Page())

    assert "https://" in caught.value.hint


def test_the_authoritys_advice_on_renewal_is_passed_on(fake: Fake) -> None:
    now, window = (
        datetime.now(UTC),
        {"start": "2031-01-01T00:00:00Z", "end": "2031-01-02T00:00:00Z"},
    )
    root = new_authority("CA", now=now, lifetime=90 * DAY, key=new_key())
    leaf = issue(root, ["www.example.org"], now=now, lifetime=90 * DAY, key=new_key()).leaf
    without_issuer_id = forge(Recipe(start=now, end=now + 90 * DAY)).certificate
    server, good = Server(f"{fake.url}/dir"), GOOD["/dir"]
    assert isinstance(good, dict)

    fake.told = {
        "/dir": (200, {**good, "renewalInfo": "URL/advice"}),
        "/advice": (200, {"suggestedWindow": {**window}}),
    }
    told = suggested_renewal(server, leaf)
    cannot_be_asked = suggested_renewal(server, without_issuer_id)
    fake.told["/advice"] = (500, b"")
    with pytest.raises(CertError, match="/dir"):
        suggested_renewal(server, leaf)
    fake.told = {}

    assert told is not None
    assert datetime(2031, 1, 1, tzinfo=UTC) <= told <= datetime(2031, 1, 2, tzinfo=UTC)
    assert cannot_be_asked is None
    assert suggested_renewal(server, leaf) is None


ANYTHING: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "type", "url", "error", "meta"]), inner)
    ),
    max_leaves=4,
)


@st.composite
def strange(draw: st.DrawFn) -> tuple[str, int, Json]:
    """Draw one step's answer that is rubbish, or good but for one of its values."""
    path, good = draw(st.sampled_from(sorted(GOOD.items())))
    status = draw(st.sampled_from([200, 200, 201, 400, 503]))
    assert isinstance(good, dict)
    spoilt: Json = {**good, draw(st.sampled_from(sorted(good))): draw(ANYTHING)}
    return path, status, draw(st.just(spoilt) | ANYTHING)


@settings(
    max_examples=examples(100, 400),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(strange())
def test_rubbish_at_any_step_is_an_error_of_ours(fake: Fake, answer: tuple[str, int, Json]) -> None:
    path, status, body = answer

    refusal(fake, **{path.removeprefix("/"): (status, body)})
