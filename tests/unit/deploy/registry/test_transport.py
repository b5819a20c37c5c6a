"""A registry may be slow, busy or hostile; a login is not sent where it does not belong."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.authority import issue, new_authority
from certs.keyfile import new_key
from deploy.errors import DeployError
from deploy.image.layers.oci import digest
from deploy.registry.exchange import Request
from deploy.registry.plan.manifest import Manifest, blob_of
from deploy.registry.plan.reference import Reference
from deploy.registry.registry import Registry
from deploy.registry.token import Token
from deploy.registry.transport import MOST_BYTES, Transport, UnreachableError
from tests.clock import Clock
from tests.unit.deploy.registry.fake_registry import (
    LOGIN,
    TOKEN,
    Asked,
    FakeRegistry,
    answering,
    running,
)

pytestmark = pytest.mark.loopback
REPO = "shop/www"
DATA = b"some bytes of a layer" * 1000
BLOB = blob_of(DATA, "application/octet-stream")
MANIFEST = Manifest(b'{"schemaVersion":2,"layers":[]}')


def client(registry: FakeRegistry, login: str = LOGIN, base: str = "") -> Registry:
    base = base or f"http://{registry.address}"
    transport = Transport(Token(base, REPO, lambda: login), root=None, http=True)
    return Registry(transport, base, Reference(registry.address, REPO, "live"))


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    """Another host, which must not see the login."""
    with running() as found:
        yield found


def upload(registry: FakeRegistry, folder: Path, login: str = LOGIN) -> list[int]:
    file, counted = folder / "blob", list[int]()
    file.write_bytes(DATA)
    client(registry, login).upload(BLOB, file, counted.append)
    return counted


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_the_login_is_given_when_the_registry_asks(auth: str, tmp_path: Path) -> None:
    with running(auth) as registry:
        upload(registry, tmp_path)

    assert registry.blobs[REPO, BLOB.digest] == DATA


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_wrong_login_is_tried_once(auth: str, tmp_path: Path) -> None:
    with running(auth) as registry, pytest.raises(DeployError, match=r"does not accept|no token"):
        upload(registry, tmp_path, "ann:wrong")

    assert len(registry.asked) <= 3


@pytest.mark.parametrize("login", ["ann", "ann:", ":word", "ann:\nX-Evil: 1"])
def test_a_login_that_is_none_is_refused_without_showing_it(login: str, tmp_path: Path) -> None:
    with running("basic") as registry, pytest.raises(DeployError, match="not USER:PASSWORD") as no:
        upload(registry, tmp_path, login)

    assert "word" not in no.value.message.replace("PASSWORD", "")


def test_a_token_that_has_expired_is_renewed(tmp_path: Path) -> None:
    with running("bearer") as registry:
        one = client(registry)
        one.put_blob(BLOB, DATA)

        def expired(asked: Asked) -> bool:
            if asked.login == f"Bearer {TOKEN}":
                asked.answer(401, WWW_Authenticate=registry._challenge())  # noqa: SLF001
                return True
            return False

        registry.once(expired)
        one.put_manifest("live", MANIFEST)

    assert registry.asked.count("GET /token") == 2


def test_a_registry_that_always_asks_for_a_login_is_left(registry: FakeRegistry) -> None:
    asks = answering(401, WWW_Authenticate='Basic realm="again"')
    registry.moods.append(asks)
    with pytest.raises(DeployError, match="does not accept the login"):
        client(registry).manifest("live")

    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("challenge", "message"),
    [
        ("", "of the kind ''"),
        ('Negotiate realm="x"', "of the kind 'Negotiate'"),
        ("Bearer", "of the kind 'Bearer'"),
        ('Bearer realm="http://192.0.2.1/token"', "192.0.2.1, which has no TLS"),
        ('Bearer realm="ftp://127.0.0.1/token"', "cannot be reached|without TLS"),
        ('Bearer realm="//["', "no TLS"),
    ],
)
def test_a_login_is_not_sent_where_it_would_be_seen(
    registry: FakeRegistry, challenge: str, message: str
) -> None:
    asks = answering(401, WWW_Authenticate=challenge)
    registry.moods.append(asks)
    with pytest.raises(DeployError, match=message):
        client(registry).manifest("live")

    assert registry.logins == [""]


@pytest.mark.parametrize(
    "token", [b"", b"[]", b'{"token": 1}', b'{"token": "a\\r\\nX: 1"}', b"[" * 5000]
)
def test_a_token_that_is_none_is_refused(token: bytes) -> None:
    with running("bearer") as registry:
        gives = answering(200, token, ending="/token")
        registry.moods.append(gives)
        with pytest.raises(DeployError, match=r"no token|a token that is none"):
            client(registry).manifest("live")


def test_a_token_server_that_leads_on_is_not_followed(other: FakeRegistry) -> None:
    with running("bearer") as registry:
        leads = answering(302, Location=f"http://{other.address}/token", ending="/token")
        registry.moods.append(leads)
        with pytest.raises(DeployError, match="is not followed"):
            client(registry).manifest("live")

    assert other.asked == []


def test_a_blob_may_lie_on_another_host_which_gets_no_login(other: FakeRegistry) -> None:
    other.blobs[REPO, BLOB.digest] = DATA
    with running("basic") as registry:
        one = client(registry)
        one.put_manifest("live", MANIFEST)

        def leads(asked: Asked) -> bool:
            asked.answer(307, Location=f"http://{other.address}{asked.path}")
            return True

        registry.moods.append(leads)
        found = one.read_blob(BLOB)

    assert found == DATA
    assert registry.logins[-1]
    assert other.logins == [""]


def test_another_host_that_asks_for_the_login_does_not_get_it(other: FakeRegistry) -> None:
    asks = answering(401, WWW_Authenticate='Basic realm="give"')
    other.moods.append(asks)
    with running("basic") as registry:
        one = client(registry)
        one.put_manifest("live", MANIFEST)
        registry.moods.append(answering(307, Location=f"http://{other.address}/x"))
        with pytest.raises(DeployError, match="does not accept"):
            one.read_blob(BLOB)

    assert other.logins == [""]


def test_an_upload_that_the_registry_sends_elsewhere_goes_there_without_the_login(
    other: FakeRegistry, tmp_path: Path
) -> None:
    with running("basic") as registry:

        def elsewhere(asked: Asked) -> bool:
            if asked.method == "POST" and asked.login:
                place = f"http://{other.address}/v2/{REPO}/blobs/uploads/9"
                asked.answer(202, Location=place)
                return True
            return False

        registry.moods.append(elsewhere)
        upload(registry, tmp_path)

    assert other.blobs[REPO, BLOB.digest] == DATA
    assert other.logins == [""]


@pytest.mark.parametrize("place", ["", "http://[", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_an_upload_is_not_sent_to_nonsense(
    registry: FakeRegistry, place: str, tmp_path: Path
) -> None:
    leads = answering(202, Location=place, method="POST")
    registry.moods.append(leads)
    with pytest.raises(DeployError):
        upload(registry, tmp_path)

    assert registry.blobs == {}


def test_what_writes_is_not_redirected(registry: FakeRegistry, other: FakeRegistry) -> None:
    registry.moods.append(answering(308, Location=f"http://{other.address}/"))

    with pytest.raises(DeployError, match="not followed"):
        client(registry).put_manifest("live", MANIFEST)
    assert other.asked == []


def test_redirects_end(registry: FakeRegistry) -> None:
    registry.moods.append(answering(302, Location="/again"))

    with pytest.raises(DeployError, match="not followed"):
        client(registry).manifest("live")
    assert len(registry.asked) == 5


def test_without_pull_http_nothing_goes_over_http(registry: FakeRegistry) -> None:
    base = f"http://{registry.address}"
    transport = Transport(Token(base, REPO, lambda: LOGIN), root=None, http=False)

    with pytest.raises(DeployError, match="without TLS"):
        transport.send(Request("GET", f"{base}/v2/"))
    assert registry.asked == []


def test_over_http_a_login_leaves_this_machine_never() -> None:
    token = Token("http://192.0.2.1", REPO, lambda: pytest.fail("asked for the login"))

    with pytest.raises(DeployError, match="asks for a login, and has no TLS"):
        token.renew({"WWW-Authenticate": "Basic"}, lambda _: pytest.fail("asked for a token"))


@pytest.mark.parametrize(("asked_for", "waited"), [("7", 7), ("99999", 60), ("soon", 1), ("-1", 1)])
def test_a_busy_registry_is_asked_again_when_it_says(
    registry: FakeRegistry, clock: Clock, asked_for: str, waited: int
) -> None:
    busy = answering(429, Retry_After=asked_for)
    registry.once(busy)
    client(registry).put_manifest("live", MANIFEST)

    assert clock.slept == waited


def test_a_registry_that_stays_busy_is_left(registry: FakeRegistry) -> None:
    registry.moods.append(answering(503, b"down for now"))

    with pytest.raises(UnreachableError, match="busy: 503 down for now"):
        client(registry).manifest("live")
    assert len(registry.asked) == 5


@pytest.mark.parametrize("failure", ["cut", "busy", "silent"])
def test_an_interrupted_upload_begins_the_blob_again(
    registry: FakeRegistry, tmp_path: Path, failure: str
) -> None:
    def fails(asked: Asked) -> bool:
        if asked.method != "PUT":
            return False
        if failure == "busy":
            asked.answer(429, Retry_After="3")
        elif failure == "silent":
            asked.body  # noqa: B018
            asked.handler.close_connection = True
        else:
            asked.handler.rfile.read(1000)
            asked.handler.connection.shutdown(2)
            asked.handler.close_connection = True
        return True

    registry.once(fails)
    counted = upload(registry, tmp_path)

    assert registry.blobs[REPO, BLOB.digest] == DATA
    assert sum(counted) == len(DATA)
    assert len([one for one in registry.asked if one.startswith("POST")]) == 2


def test_an_upload_that_never_arrives_ends(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.moods.append(answering(503, b"no", method="PUT"))

    with pytest.raises(UnreachableError):
        upload(registry, tmp_path)
    assert len([one for one in registry.asked if one.startswith("PUT")]) == 3


def test_an_answer_without_end_is_not_read_to_its_end(registry: FakeRegistry) -> None:
    stop = threading.Event()

    def endless(asked: Asked) -> bool:
        asked.handler.send_response(200)
        asked.handler.end_headers()
        while not stop.is_set():
            try:
                asked.handler.wfile.write(b"x" * (1 << 20))
            except OSError:
                break
        return True

    registry.moods.append(endless)
    try:
        with pytest.raises(DeployError, match="without end"):
            client(registry).manifest("live")
    finally:
        stop.set()


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("text/html", b"<html>", "is no manifest but 'text/html'"),
        ("", b"", "is no manifest but ''"),
        (MANIFEST.media_type, b"other", "has the digest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    registry: FakeRegistry, kind: str, content: bytes, message: str
) -> None:
    registry.moods.append(answering(200, content, Content_Type=kind))

    with pytest.raises(DeployError, match=message):
        client(registry).manifest(MANIFEST.digest)


def test_a_blob_with_another_digest_is_refused(registry: FakeRegistry) -> None:
    registry.blobs[REPO, BLOB.digest] = b"changed"

    with pytest.raises(DeployError, match="has another digest"):
        client(registry).read_blob(BLOB)


def test_a_large_blob_is_not_read(registry: FakeRegistry) -> None:
    large = BLOB.model_copy(update={"size": MOST_BYTES + 1})

    with pytest.raises(DeployError, match="larger than"):
        client(registry).read_blob(large)
    assert registry.asked == []


def test_a_registry_that_stored_other_bytes_is_noticed(registry: FakeRegistry) -> None:
    registry.moods.append(answering(201, Docker_Content_Digest=digest(b"other")))

    with pytest.raises(DeployError, match="answers wrongly: it names"):
        client(registry).put_manifest("live", MANIFEST)


def test_the_reason_of_a_refusal_is_shown_in_short(registry: FakeRegistry) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"' + b"no \x1b[31m" + b"x" * 9999 + b'"}]}'
    registry.moods.append(answering(403, body))

    with pytest.raises(DeployError, match="403") as refused:
        client(registry).put_manifest("live", MANIFEST)
    assert len(refused.value.message) < 500
    assert "may not write" in refused.value.hint


def test_a_registry_that_is_not_there_is_named(registry: FakeRegistry) -> None:
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 cannot be reached"):
        client(registry, base="http://127.0.0.1:1").manifest("live")


def test_a_private_authority_is_trusted_where_pull_root_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, key = datetime.now(UTC), new_key()
    root = new_authority("A", now=now, lifetime=timedelta(days=1), key=new_key())
    chain = issue(root, ["127.0.0.1"], now=now, lifetime=timedelta(days=1), key=key)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(chain.pem + plain)
    (tmp_path / "root.crt").write_bytes(root.certificate.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    # A variable of the environment names no other authorities.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.crt"))

    with running("basic", context) as registry:
        base = f"https://{registry.address}"
        token = Token(base, REPO, lambda: LOGIN)
        trusting = Transport(token, root=tmp_path / "root.crt", http=False)
        put = Request("PUT", f"{base}/v2/{REPO}/manifests/live", {"Content-Type": "a"}, b"{}")
        assert trusting.send(put).status == 201
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(DeployError, match="certificate that is not trusted") as refused:
            Transport(token, root=None, http=False).send(put)

    assert "PULL_ROOT" in refused.value.hint
    assert len(registry.manifests) == 2


def test_a_login_from_a_file_in_the_home_folder_is_not_used(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login ann password other\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    client(registry).manifest("live")

    assert registry.logins == [""]


def test_a_proxy_of_the_environment_sees_no_login_that_goes_without_tls(
    other: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://{other.address}")

    with running("basic") as registry:
        upload(registry, tmp_path)

    assert other.asked == []
