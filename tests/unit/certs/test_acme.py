"""Certificates from a real ACME authority, Pebble, which validates what we show."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.acme.account import Account, Binding, Server, connect
from certs.acme.order import Challenge, obtain, suggested_renewal
from certs.chain import Chain
from certs.checks import problems
from certs.errors import CertError
from certs.keyfile import PrivateKey, new_key
from certs.signing_request import signing_request
from tests.unit.certs.pebble import HMAC_KEY, Page, Pebble, Zone, running

pytestmark = pytest.mark.program
Program = Callable[[str], str]
FAST = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[Pebble]:
    folder = tmp_path_factory.mktemp("pebble")
    with running(folder, program, FAST | {"PEBBLE_WFE_NONCEREJECT": "40"}) as found:
        yield found


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(new_key(), email="ops@example.org", terms_agreed=True)


def assert_serves(chain: Chain, key: PrivateKey, names: tuple[str, ...]) -> None:
    assert problems(chain, key, names=names, now=datetime.now(UTC)) == ()
    assert len(chain.certificates) > 1


@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048"])
def test_names_are_proven_over_http_and_issued(pebble: Pebble, account: Account, kind: str) -> None:
    names, key, page = ("www.example.org", "example.org"), new_key(kind), Page()

    with page.served(pebble.http_port):
        chain = obtain(pebble.server, account, signing_request(names, key=key), page)

    assert_serves(chain, key, names)
    assert page.shown == {}
    assert {path.rpartition("/")[0] for path in page.asked} == {"/.well-known/acme-challenge"}


def test_refused_nonces_are_tried_again_until_they_are_taken(
    pebble: Pebble, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "acme.client")

    for _ in range(40):
        with connect(pebble.server, account):
            pass

    assert "badNonce" in caplog.text


@pytest.mark.parametrize("kind", ["ecdsa-p384", "rsa-2048"])
def test_a_wildcard_and_its_domain_are_proven_by_two_values_of_one_record(
    pebble: Pebble, kind: str
) -> None:
    names, key, zone = ("*.example.net", "example.net"), new_key(), Zone(pebble.dns_management)
    other = Account(new_key(kind), terms_agreed=True)

    chain = obtain(pebble.server, other, signing_request(names, key=key), zone)

    assert_serves(chain, key, ("a.example.net", "example.net"))
    presented = [step for step in zone.history if step[0] == "present"]
    assert {record for _, record, _ in presented} == {"_acme-challenge.example.net"}
    assert len({value for _, _, value in presented}) == 2


def test_a_renewal_uses_the_same_account_and_gives_another_certificate(
    pebble: Pebble, account: Account
) -> None:
    key, page = new_key(), Page()
    request = signing_request(["renewed.example.org"], key=key)

    with page.served(pebble.http_port):
        first = obtain(pebble.server, account, request, page)
        second = obtain(pebble.server, replace(account, terms_agreed=False), request, page)

    assert first.leaf.sha256 != second.leaf.sha256


def test_an_address_is_proven_over_http(pebble: Pebble, account: Account) -> None:
    key, page = new_key(), Page()

    with page.served(pebble.http_port):
        chain = obtain(pebble.server, account, signing_request(["127.0.0.1"], key=key), page)

    assert chain.leaf.covers("127.0.0.1")


def test_a_page_that_cannot_be_reached_is_told_by_name_and_all_is_taken_away(
    pebble: Pebble, account: Account
) -> None:
    page = Page()

    with pytest.raises(CertError) as caught:
        obtain(pebble.server, account, request_for("www.example.org", "b.example.org"), page)

    # An authority may end an order before it has tried the other name.
    told = set(re.findall(r"(\S+) was not proven by http-01", caught.value.message))
    assert told
    assert told <= {"www.example.org", "b.example.org"}
    assert "port 80" in caught.value.hint
    assert page.shown == {}


def test_a_wildcard_cannot_be_proven_over_http(pebble: Pebble, account: Account) -> None:
    page = Page()

    with pytest.raises(CertError, match=r"\*\.example\.org cannot be proven by http-01"):
        obtain(pebble.server, account, request_for("*.example.org"), page)

    assert page.history == []


def test_what_was_shown_is_taken_away_when_showing_the_next_fails(
    pebble: Pebble, account: Account
) -> None:
    class Failing(Page):
        def present(self, challenge: Challenge) -> None:
            super().present(challenge)
            if len(self.shown) > 1:
                raise InterruptedError

    page = Failing()

    with pytest.raises(InterruptedError):
        obtain(pebble.server, account, request_for("a.example.org", "b.example.org"), page)

    assert page.shown == {}


def test_terms_that_nobody_agreed_to_stop_a_new_account(pebble: Pebble) -> None:
    with pytest.raises(CertError, match="terms are not agreed to: data:text/plain"):
        obtain(pebble.server, Account(new_key()), request_for("www.example.org"), Page())


def test_an_authority_with_an_unknown_root_is_not_trusted(pebble: Pebble, account: Account) -> None:
    with pytest.raises(
        CertError, match="certificate is not trusted: unable to get local issuer"
    ) as caught:
        obtain(Server(pebble.server.directory), account, request_for("a.example.org"), Page())

    assert "root certificate" in caught.value.hint


def test_a_missing_file_of_roots_is_named(pebble: Pebble, account: Account) -> None:
    server = replace(pebble.server, trust=Path("/nowhere/root.crt"))

    with pytest.raises(CertError, match=r"/nowhere/root\.crt"):
        obtain(server, account, request_for("a.example.org"), Page())


def test_a_refusal_carries_the_authoritys_words(pebble: Pebble) -> None:
    wrong = Account(new_key(), email="not an address", terms_agreed=True)

    with pytest.raises(CertError, match=r"refused \(.*\): .*contact"):
        obtain(pebble.server, wrong, request_for("www.example.org"), Page())


def test_an_authority_without_advice_gives_none(pebble: Pebble, account: Account) -> None:
    page = Page()
    with page.served(pebble.http_port):
        chain = obtain(pebble.server, account, request_for("a.example.org"), page)

    suggested = suggested_renewal(pebble.server, chain.leaf)

    assert suggested is None or suggested < chain.leaf.not_after


def test_slow_validations_are_waited_for(
    tmp_path: Path, program: Program, account: Account
) -> None:
    page = Page()
    slow = {"PEBBLE_VA_SLEEPTIME": "4", "PEBBLE_WFE_NONCEREJECT": "5"}

    with running(tmp_path, program, slow) as pebble, page.served(pebble.http_port):
        chain = obtain(pebble.server, account, request_for("slow.example.org"), page)

    assert chain.leaf.covers("slow.example.org")


def test_a_validation_that_does_not_end_is_given_up_in_time(
    pebble: Pebble, account: Account
) -> None:
    page, patience = Page(), timedelta(seconds=0.5)
    page.answering.clear()

    with page.served(pebble.http_port):
        with pytest.raises(CertError, match="not finished in time"):
            obtain(pebble.server, account, request_for("a.example"), page, patience=patience)
        page.answering.set()

    assert page.history == ["present a.example", "cleanup a.example"]


def test_an_account_is_bound_to_a_customer(
    tmp_path: Path, program: Program, account: Account
) -> None:
    page = Page()
    with (
        running(tmp_path, program, FAST, binding=HMAC_KEY) as pebble,
        page.served(pebble.http_port),
    ):

        def order(binding: Binding | None) -> Chain:
            asking = replace(account, binding=binding)
            return obtain(pebble.server, asking, request_for("a.example.org"), page)

        with pytest.raises(CertError, match="externalAccountRequired") as missing:
            order(None)
        with pytest.raises(CertError, match="refused"):
            order(Binding("kid-1", "AAAA" + HMAC_KEY[4:]))
        with pytest.raises(CertError, match="not base64url"):
            order(Binding("kid-1", "ä"))
        bound = order(Binding("kid-1", HMAC_KEY))
        again = order(None)

    assert "HMAC key" in missing.value.hint
    assert bound.leaf.sha256 != again.leaf.sha256


def test_no_secret_of_an_account_is_in_its_text(account: Account) -> None:
    text = repr(replace(account, binding=Binding("kid-1", HMAC_KEY)))

    assert HMAC_KEY not in text
    assert "PrivateKey" not in text


def request_for(*names: str) -> bytes:
    return signing_request(names, key=new_key())
