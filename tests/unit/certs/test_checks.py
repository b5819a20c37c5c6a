"""What is refused before it is served."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from certs.authority import new_authority
from certs.certificate import from_der, key_type
from certs.chain import Chain, read_chain
from certs.checks import problems
from certs.import_key import read_key
from tests.unit.certs.forge import (
    CLIENT,
    DAY,
    NOW,
    Made,
    Recipe,
    authority,
    chained,
    forge,
    new_key,
)

NAMES = ("www.example.org",)


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Root")


@pytest.fixture(scope="module")
def middle(root: Made) -> Made:
    return authority("Middle", root)


@pytest.fixture(scope="module")
def leaf(middle: Made) -> Made:
    return forge(Recipe(), middle)


def found(chain: Chain, made: Made | None, *anchors: Made, names: tuple[str, ...] = NAMES) -> str:
    key = made.key if made else None
    trusted = [anchor.certificate for anchor in anchors]
    listed = problems(chain, key, names=names, now=NOW, anchors=trusted)
    assert all(problem.hint for problem in listed)
    return "\n".join(problem.message for problem in listed)


def test_a_good_chain_has_no_problem(root: Made, middle: Made, leaf: Made) -> None:
    assert found(chained(leaf, middle), leaf, root) == ""
    assert found(chained(leaf, middle, root), leaf, root) == ""
    assert found(chained(leaf, middle), None) == ""


def test_a_key_of_another_certificate_is_named_with_both(middle: Made, leaf: Made) -> None:
    other = Made(leaf.certificate, rsa.generate_private_key(65537, 2048))

    said = found(chained(leaf, middle), other)

    assert "RSA 2048" in said
    assert leaf.certificate.sha256[:16] in said


@pytest.mark.parametrize(
    ("recipe", "part"),
    [
        (Recipe(start=NOW - 9 * DAY, end=NOW - 3 * DAY), "expired on 2030-06-12 12:00 UTC, 3 days"),
        (Recipe(start=NOW + DAY), "not valid before 2030-06-16"),
        (Recipe(names=("example.org", "192.0.2.7")), "does not cover www.example.org"),
        (Recipe(names=()), "names no host"),
        (Recipe(purpose=CLIENT), "no serverAuth"),
        (Recipe(ca=True), "authority's certificate"),
    ],
)
def test_an_unfit_leaf_is_refused(middle: Made, recipe: Recipe, part: str) -> None:
    made = forge(recipe, middle)

    assert part in found(chained(made, middle), made)


def test_an_expired_certificate_in_between_is_refused(root: Made) -> None:
    old = forge(Recipe(subject="Middle", ca=True, start=NOW - 9 * DAY, end=NOW - DAY), root)
    made = forge(Recipe(), old)

    assert "CN=Middle expired" in found(chained(made, old), made, root)


@pytest.mark.parametrize("order", [(1, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0)])
def test_a_wrong_order_is_told_as_one_problem(
    root: Made, middle: Made, leaf: Made, order: tuple[int, ...]
) -> None:
    chain = chained(*((leaf, middle, root)[place] for place in order))

    assert "wrong order" in found(chain, leaf)


@pytest.mark.parametrize("order", [(0, 0), (0, 1, 1), (0, 0, 1, 0), (0, 1, 2, 1)])
def test_a_certificate_that_is_there_twice_is_named(
    root: Made, middle: Made, leaf: Made, order: tuple[int, ...]
) -> None:
    said = found(chained(*((leaf, middle, root)[place] for place in order)), leaf)

    assert re.fullmatch(r"CN=(www\.example\.org|Middle) is in the file [23] times", said)


@pytest.mark.program
def test_a_certificate_for_an_rsa_pss_key_is_refused(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    words = "req -x509 -newkey rsa-pss -nodes -subj /CN=www -addext basicConstraints=CA:FALSE"
    names = ("-addext", "subjectAltName=DNS:www.example.org", "-keyout", "key", "-out", "crt")
    command = [program("openssl"), *words.split(), *names]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    chain = read_chain((tmp_path / "crt").read_bytes(), source="crt")
    key = read_key((tmp_path / "key").read_bytes(), source="key")

    listed = problems(chain, key, names=NAMES, now=chain.leaf.not_before)

    assert [one.message for one in listed] == [
        "CN=www is for an RSA-PSS key, which no browser takes"
    ]


def test_a_missing_link_is_told_with_who_issued(root: Made, leaf: Made) -> None:
    said = found(chained(leaf, root), leaf)

    assert "CN=www.example.org was not issued by the next certificate, CN=Root" in said
    assert "but by CN=Middle" in said


def test_an_issuer_of_the_same_name_with_another_key_does_not_verify(leaf: Made) -> None:
    assert "not issued" in found(chained(leaf, authority("Middle")), leaf)


def test_a_chain_that_ends_elsewhere_is_refused(middle: Made, leaf: Made) -> None:
    assert "none of: CN=Other" in found(chained(leaf, middle), leaf, authority("Other"))
    assert "none of" in found(chained(leaf), leaf, authority("Other"))


def test_a_server_that_issued_another_is_refused(middle: Made, leaf: Made) -> None:
    below = forge(Recipe(), leaf)

    assert "may not issue" in found(chained(below, leaf, middle), below)


def test_an_authority_too_far_up_is_refused() -> None:
    top = authority("Top", path_length=0)
    middle = authority("Middle", top)
    made = forge(Recipe(), middle)

    assert "CN=Top may not stand 1 issuers above" in found(chained(made, middle), made, top)


def test_an_authority_that_may_not_sign_is_refused(root: Made) -> None:
    mute = forge(Recipe(subject="Mute", ca=True, signs=False), root)
    made = forge(Recipe(), mute)

    assert "CN=Mute may not sign" in found(chained(made, mute), made)


def test_small_keys_and_odd_curves_are_weak(middle: Made) -> None:
    weak_rsa = forge(Recipe(), middle, rsa.generate_private_key(65537, 1024))  # noqa: S505 - weak on purpose
    odd_curve = forge(Recipe(), middle, ec.generate_private_key(ec.SECP256K1()))

    assert "weak key (RSA 1024)" in found(chained(weak_rsa), weak_rsa)
    assert "weak key (ECDSA secp256k1)" in found(chained(odd_curve), odd_curve)


def test_every_problem_is_told_at_once(middle: Made, leaf: Made) -> None:
    made = forge(Recipe(names=("a.example",), end=NOW - DAY / 2), middle)

    said = found(chained(made, middle), leaf, names=("www.example.org", "b.example"))

    assert len(said.splitlines()) == 4


def test_a_kind_of_key_without_a_name_of_ours_keeps_its_own() -> None:
    assert key_type(dsa.generate_private_key(2048)) == "DSA"
    assert key_type(new_key()) == "ECDSA P-256"


def test_a_certificate_tells_what_it_is(middle: Made) -> None:
    recipe = Recipe(names=("www.example.org", "192.0.2.7"))
    told = forge(recipe, middle).certificate

    assert told.subject == "CN=www.example.org"
    assert told.issuer == "CN=Middle"
    assert told.names == recipe.names
    assert (told.not_before, told.not_after) == (recipe.start, recipe.end)
    assert len(told.sha256) == 64
    assert int(told.serial, 16) == told.x509().serial_number
    assert replace(told, der=b"").is_ca is False


def test_an_issuer_may_not_vouch_beyond_its_bounds() -> None:
    bound = new_authority("Bound", now=NOW, lifetime=DAY, key=new_key(), permitted=["example.com"])
    issuer = Made(bound.certificate, bound.key)
    made = forge(Recipe(), issuer)

    assert "CN=Bound may not vouch for www.example.org" in found(chained(made), made, issuer)


@pytest.mark.parametrize(("algorithm", "part"), [(0x05, "sha1"), (0x7F, "an unknown algorithm")])
def test_an_outdated_or_unknown_signature_is_refused(algorithm: int, part: str) -> None:
    signer = rsa.generate_private_key(65537, 2048)
    root = forge(Recipe(subject="Root", names=(), ca=True), key=signer)
    rsa_with = bytes.fromhex("2a864886f70d0101")
    der = forge(Recipe(), root).certificate.der
    outdated = from_der(der.replace(rsa_with + b"\x0b", rsa_with + bytes([algorithm])))

    said = found(Chain((outdated,), "server.crt"), None)

    assert f"CN=www.example.org is signed with {part}" in said
    assert "signed with" not in found(chained(root), None)
