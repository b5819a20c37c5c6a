"""What the project's own authority makes."""

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.authority import SKEW, Authority, issue, new_authority
from certs.certificate import Certificate
from certs.chain import Chain
from certs.constraints import forbidden
from certs.errors import CertError
from certs.keyfile import new_key
from tests.unit.certs.forge import DAY, NOW

E = TypeVar("E", bound=x509.ExtensionType)
Program = Callable[[str], str]
NAMES = ("www.example.org", "*.example.org", "192.0.2.7", "2001:db8::7")


def made(permitted: tuple[str, ...] = (), lifetime: timedelta = 3650 * DAY) -> Authority:
    return new_authority(
        "Example CA", now=NOW, lifetime=lifetime, key=new_key(), permitted=permitted
    )


@pytest.fixture(scope="module")
def root() -> Authority:
    return made()


def extension(certificate: Certificate, kind: type[E]) -> x509.Extension[E]:
    return certificate.x509().extensions.get_extension_for_class(kind)


def assert_trusted(chain: Chain, root: Authority, host: str) -> None:
    builder = PolicyBuilder().store(Store([root.certificate.x509()])).time(NOW)
    found = builder.build_server_verifier(x509.DNSName(host)).verify(chain.leaf.x509(), [])

    assert found[-1] == root.certificate.x509()


def test_a_leaf_is_trusted_by_a_strict_verifier(root: Authority) -> None:
    chain = issue(root, NAMES, now=NOW, lifetime=30 * DAY, key=new_key())

    assert_trusted(chain, root, "www.example.org")
    assert_trusted(chain, root, "other.example.org")


@pytest.mark.program
@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_openssl_trusts_a_leaf_in_its_strictest_mode(
    kind: str, tmp_path: Path, program: Program
) -> None:
    key = new_key(kind)
    root = new_authority(
        "CA", now=NOW, lifetime=3650 * DAY, key=key, permitted=["example.org", "192.0.2.0/24"]
    )
    chain = issue(root, ("www.example.org", "192.0.2.7"), now=NOW, lifetime=DAY, key=new_key(kind))
    (tmp_path / "ca.crt").write_bytes(root.certificate.pem)
    (tmp_path / "server.crt").write_bytes(chain.pem)

    command = [program("openssl"), "verify", "-x509_strict", "-purpose", "sslserver"]
    command += ["-attime", str(int(NOW.timestamp())), "-verify_hostname", "www.example.org"]
    command += ["-CAfile", "ca.crt", "server.crt"]
    said = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr


def test_a_leaf_names_what_was_asked_typed_and_serves_only(root: Authority) -> None:
    leaf = issue(root, NAMES, now=NOW, lifetime=30 * DAY, key=new_key()).leaf

    assert leaf.names == NAMES
    assert leaf.common_name == "www.example.org"
    assert not leaf.is_ca
    assert usage(leaf) == x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def test_a_leaf_starts_a_little_early_and_lives_as_long_as_asked(root: Authority) -> None:
    leaf = issue(root, NAMES, now=NOW, lifetime=30 * DAY, key=new_key()).leaf

    assert leaf.not_before == NOW - SKEW
    assert leaf.not_after == NOW + 30 * DAY
    assert leaf.days_left(NOW) == 30


def test_a_leaf_never_outlives_its_authority() -> None:
    short = made(lifetime=10 * DAY)

    leaf = issue(short, NAMES, now=NOW, lifetime=30 * DAY, key=new_key()).leaf

    assert leaf.not_after == short.certificate.not_after


def test_a_name_too_long_for_the_subject_is_served_all_the_same(root: Authority) -> None:
    name = f"{'a' * 60}.{'b' * 20}.example.org"

    chain = issue(root, [name], now=NOW, lifetime=DAY, key=new_key())

    assert chain.leaf.subject == ""
    assert_trusted(chain, root, name)


def test_an_authority_issues_servers_and_no_further_authorities(root: Authority) -> None:
    constraints = extension(root.certificate, x509.BasicConstraints)
    key_usage = extension(root.certificate, x509.KeyUsage)

    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert key_usage.value.key_cert_sign
    assert not key_usage.value.digital_signature


@pytest.mark.parametrize(
    ("permitted", "name"),
    [
        (("example.org",), "www.example.com"),
        (("example.org",), "notexample.org"),
        (("example.org",), "192.0.2.7"),
        (("192.0.2.0/24",), "192.0.3.7"),
        (("192.0.2.0/24",), "2001:db8::7"),
        (("192.0.2.0/24",), "www.example.org"),
        (("2001:db8::/32",), "192.0.2.7"),
    ],
)
def test_a_bound_authority_refuses_other_names(permitted: tuple[str, ...], name: str) -> None:
    with pytest.raises(CertError, match="may not vouch"):
        issue(made(permitted), [name], now=NOW, lifetime=DAY, key=new_key())


@pytest.mark.parametrize(
    ("permitted", "name"),
    [
        (("example.org",), "example.org"),
        (("Example.ORG",), "*.www.example.org"),
        (("example.org", "192.0.2.7"), "192.0.2.7"),
        (("2001:db8::/32",), "2001:db8::7"),
    ],
)
def test_a_bound_authority_issues_within_its_bounds(permitted: tuple[str, ...], name: str) -> None:
    chain = issue(made(permitted), [name], now=NOW, lifetime=DAY, key=new_key())

    assert chain.leaf.covers(name)


def test_a_bound_authority_is_bound_for_visitors_too() -> None:
    bound = made(("example.org",))
    loose = new_authority("Example CA", now=NOW, lifetime=DAY, key=bound.key)
    chain = issue(loose, ["www.example.com"], now=NOW, lifetime=DAY, key=new_key())

    with pytest.raises(VerificationError):
        assert_trusted(chain, bound, "www.example.com")


@pytest.mark.parametrize(
    "other",
    [x509.RFC822Name("ann@example.org"), x509.UniformResourceIdentifier("https://example.org/")],
)
@pytest.mark.parametrize("permitted", ["example.org", "192.0.2.0/24"])
def test_a_bound_authoritys_stolen_key_certifies_no_email_and_no_uri(
    other: x509.GeneralName, permitted: str
) -> None:
    found = extension(made((permitted,)).certificate, x509.NameConstraints).value

    assert any(isinstance(one, type(other)) for one in found.permitted_subtrees or ())
    assert forbidden(made((permitted,)).certificate.x509(), [other]) == (other.value,)


def test_a_stolen_authoritys_key_certifies_servers_only() -> None:
    root, key = made(), new_key()
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    stolen = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")]))
        .issuer_name(root.certificate.x509().subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("admin.example")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(root.key, hashes.SHA256())
    )

    verifier = PolicyBuilder().store(Store([root.certificate.x509()])).time(NOW)
    with pytest.raises(VerificationError):
        verifier.build_client_verifier().verify(stolen, [])


@pytest.mark.parametrize("entry", ["*.example.org", "https://example.org", "", "10.0.0.1/8"])
def test_bounds_that_mean_nothing_are_refused(entry: str) -> None:
    with pytest.raises(CertError) as caught:
        made((entry, "example.org"))

    assert repr(entry) in caught.value.message


def test_every_name_that_is_none_is_told_at_once(root: Authority) -> None:
    wrong = ["http://example.org", "a b", "www.*.org", "-x.org", "bücher.example", "1.2.3", ""]

    with pytest.raises(CertError) as caught:
        issue(root, ["www.example.org", *wrong], now=NOW, lifetime=DAY, key=new_key())

    for name in wrong:
        assert repr(name) in caught.value.message
    assert "www.example.org" not in caught.value.message
    assert "xn--bcher-kva.example" in caught.value.hint


def test_no_name_no_certificate(root: Authority) -> None:
    with pytest.raises(CertError, match="no name"):
        issue(root, [], now=NOW, lifetime=DAY, key=new_key())


@pytest.mark.parametrize("moment", [NOW - DAY, NOW + 4000 * DAY])
def test_an_authority_issues_nothing_outside_its_own_time(
    root: Authority, moment: datetime
) -> None:
    with pytest.raises(CertError, match="valid from"):
        issue(root, NAMES, now=moment, lifetime=DAY, key=new_key())


def test_a_life_of_no_length_is_refused(root: Authority) -> None:
    with pytest.raises(CertError):
        issue(root, NAMES, now=NOW, lifetime=timedelta(0), key=new_key())


def test_an_authority_with_anothers_key_issues_nothing(root: Authority) -> None:
    with pytest.raises(CertError, match="another's"):
        issue(Authority(root.certificate, new_key()), NAMES, now=NOW, lifetime=DAY, key=new_key())


def test_a_server_cannot_issue(root: Authority) -> None:
    key = new_key()
    leaf = issue(root, NAMES, now=NOW, lifetime=DAY, key=key).leaf

    with pytest.raises(CertError, match="may not issue"):
        issue(Authority(leaf, key), NAMES, now=NOW, lifetime=DAY, key=new_key())


def test_an_authoritys_key_is_not_in_its_text(root: Authority) -> None:
    assert "key" not in repr(root).replace("key_type", "")


def usage(certificate: Certificate) -> x509.ExtensionType:
    return extension(certificate, x509.ExtendedKeyUsage).value
