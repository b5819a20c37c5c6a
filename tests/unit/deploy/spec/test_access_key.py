"""A line of authorized_keys is read as OpenSSH reads it; a revocation list is one that it reads."""

import base64
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from certs.keyfile import new_key
from certs.ssh import public_line, sign_person
from deploy.project import Project
from deploy.spec.access_key import AccessKey, identity_of, is_ignored, read_key
from deploy.spec.people import retire, revoked_keys
from tests.unit.deploy.examples import settings

# Always the same: they are in the names of the tests.
GOOD, EVIL, RSA = (
    key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    for key in (
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
        ec.derive_private_key(7, ec.SECP256R1()).public_key(),
        rsa.RSAPublicNumbers(65537, 2**2047 + 1).public_key(),
    )
)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def key_line(kind: str, name: str, *numbers: bytes) -> str:
    """Write a key, as someone may who does not keep to the shortest form."""
    parts = (name.encode(), *numbers)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


EXPONENT, MODULUS = b"\1\0\1", (2**2047 + 1).to_bytes(257, "big")
SAME_AS_RSA = (
    key_line("ssh-rsa", "ssh-rsa", b"\0\0" + EXPONENT, MODULUS),
    key_line("ssh-rsa", "ssh-rsa", EXPONENT, bytes(9) + MODULUS),
    key_line("ssh-rsa", "rsa-sha2-512", EXPONENT, MODULUS),
    key_line("rsa-sha2-256", "rsa-sha2-512", EXPONENT, MODULUS),
)
SK_ED25519, SK_ECDSA = (
    key_line(kind, kind, *parts, b"ssh:")
    for kind, parts in (
        ("sk-ssh-ed25519@openssh.com", (bytes(32),)),
        (
            "sk-ecdsa-sha2-nistp256@openssh.com",
            (
                b"nistp256",
                ec.derive_private_key(7, ec.SECP256R1())
                .public_key()
                .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
            ),
        ),
    )
)
PIECES = (
    *(word for key in (GOOD, EVIL, RSA) for word in (key, key, *key.split())),
    *("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa", "ssh-dss", "AAAA", "=", "#", "x", "1", "a,b"),
    *('"', '\\"', "\\", "'", ",", " ", " ", " ", "\t", "\t", "  ", "\v", "\f", "\0", "\xa0", "é"),
    *("restrict", "cert-authority", "Cert-Authority", 'command="', 'from="a b"', 'command="a"b'),
    *('expiry-time="20300101Z"', "no-pty,", 'environment="A=\\"b c\\""', 'command="a\\" b"'),
)


def fingerprint(line: str) -> str | None:
    """Give the fingerprint that ssh-keygen finds in a line."""
    done = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=line.encode(), capture_output=True, check=False
    )
    return done.stdout.split()[1].decode() if done.returncode == 0 else None


@pytest.mark.program
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@example(f"{EVIL} x {GOOD} ann")
@example(f'no-pty,command="a \\" b"\t{EVIL}')
@example("\t " + EVIL.replace(" ", "\t"))
@example(f"rsa-sha2-512 {RSA.split()[1]} x")
@example(f"{EVIL}\0junk")
@example(SAME_AS_RSA[0])
@example(SAME_AS_RSA[1])
@example(SAME_AS_RSA[2])
@example(SAME_AS_RSA[3])
def test_every_key_that_ssh_keygen_finds_in_a_line_is_found(line: str) -> None:
    found = fingerprint(line)
    key = read_key(line)

    if found:
        assert key
        assert key.fingerprint == found
        assert not is_ignored(line)


@pytest.mark.program
@given(
    st.sampled_from(("", *(one for one in PIECES if one.endswith('"') or one.isalpha()))),
    st.sampled_from((GOOD, EVIL, RSA)),
    st.sampled_from((" ", "\t")),
    st.text(alphabet='x "#=,\\é', max_size=9),
)
def test_what_is_read_as_a_key_is_one_for_ssh_keygen(
    options: str, key: str, blank: str, comment: str
) -> None:
    line = blank.join(part for part in (options, *key.split(), comment) if part)
    found = read_key(line)

    assert (found.fingerprint if found else None) == fingerprint(line)


@pytest.mark.program
@given(
    st.sampled_from((GOOD, EVIL, RSA, SK_ED25519, SK_ECDSA)),
    st.integers(0, 300),
    st.sampled_from((b"", b"x", b"\0\0\0\0", b"\0\0\0\1x")),
    st.binary(max_size=2),
)
def test_a_damaged_key_is_a_key_only_where_it_is_one_for_ssh_keygen(
    line: str, cut: int, end: bytes, changed: bytes
) -> None:
    kind, text = line.split()
    blob = base64.b64decode(text)
    blob = blob[:cut] + changed + blob[cut + len(changed) :]
    blob = blob[: len(blob) - cut % 4] + end
    damaged = f"{kind} {base64.b64encode(blob).decode()}"
    found = read_key(damaged)

    assert (found.fingerprint if found else None) == fingerprint(damaged)


@pytest.mark.parametrize(
    "line",
    [GOOD, f"{GOOD} ann", f"  {GOOD}\tx {EVIL}", GOOD.replace(" ", " \t "), f"{GOOD}\r\n"],
)
def test_lines_that_grant_the_same_have_one_identity(line: str) -> None:
    assert identity_of(line) == identity_of(GOOD)
    assert identity_of(line) != identity_of(EVIL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("restrict,pty", "PTY,restrict"),
        ('from="a,b",no-pty', 'no-pty,from="a,b"'),
        ("no-pty", "no-pty"),
    ],
)
def test_the_order_of_options_does_not_count(one: str, other: str) -> None:
    assert identity_of(f"{one} {GOOD}") == identity_of(f"{other} {GOOD} x")


@pytest.mark.parametrize(
    "options",
    ["restrict", "cert-authority", 'command="a"', 'command="a",restrict', 'command="a,restrict"'],
)
def test_other_options_are_another_identity(options: str) -> None:
    others = ("", 'command="a" ', "restrict,pty ", 'principals="a" ')

    assert identity_of(f"{options} {GOOD}") not in {
        identity_of(f"{other}{GOOD}") for other in others if other.strip() != options
    }


def test_the_name_of_a_signature_is_no_other_key() -> None:
    kind, blob = RSA.split()

    for name in ("rsa-sha2-256", "rsa-sha2-512"):
        assert identity_of(f"{name} {blob}") == identity_of(f"{kind} {blob}")
    assert read_key(f"ssh-ed25519 {blob}") is None


@pytest.mark.parametrize("line", SAME_AS_RSA)
def test_a_key_written_in_a_longer_form_is_no_other_key(line: str) -> None:
    assert identity_of(line) == identity_of(RSA)


@pytest.mark.parametrize(
    "line",
    [
        f"{RSA}=",
        f"{EVIL}====",
        f"{EVIL[:-2]}{chr(ord(EVIL[-2]) + 1)}=",
        key_line("ssh-rsa", "ssh-rsa", EXPONENT, MODULUS, b""),
        key_line("ssh-rsa", "ssh-rsa", EXPONENT, MODULUS[1:]),
        key_line("ssh-rsa", "ssh-rsa", EXPONENT),
    ],
)
def test_what_sshd_refuses_is_no_key(line: str) -> None:
    assert read_key(line) is None


@pytest.mark.parametrize(
    ("options", "expires", "logs_in"),
    [
        ("", None, True),
        ('expiry-time="20261129Z"', datetime(2026, 11, 29, tzinfo=UTC), True),
        ('EXPIRY-TIME="202611291530Z"', datetime(2026, 11, 29, 15, 30, tzinfo=UTC), True),
        ('expiry-time="20261129153000"', datetime(2026, 11, 29, 15, 30, tzinfo=UTC), True),
        ('expiry-time="20261127Z"', datetime(2026, 11, 27, tzinfo=UTC), False),
        (
            'expiry-time="20300101Z",expiry-time="20261127Z"',
            datetime(2026, 11, 27, tzinfo=UTC),
            False,
        ),
        ('expiry-time="20300231Z"', datetime(2030, 3, 3, tzinfo=UTC), True),
        ('expiry-time="2030 1 2Z"', datetime(2030, 1, 2, tzinfo=UTC), True),
        ('expiry-time="20300100Z"', datetime.min.replace(tzinfo=UTC), False),
        ('expiry-time="2 300101Z"', datetime.min.replace(tzinfo=UTC), False),
        ("expiry-time=20300101Z", datetime.min.replace(tzinfo=UTC), False),
        ('expiry-time="soon"', datetime.min.replace(tzinfo=UTC), False),
        ('command="expiry-time=\\"20261127Z\\",x"', None, False),
        ("cert-authority", None, False),
    ],
)
def test_an_expiry_is_an_option_of_its_own(
    options: str, expires: datetime | None, *, logs_in: bool
) -> None:
    key = read_key(f"{options} {GOOD}")

    assert key
    assert key.expires == expires
    assert key.logs_in(NOW) == logs_in


@pytest.mark.program
def test_a_revocation_list_refuses_the_retired_keys_and_their_certificates(tmp_path: Path) -> None:
    project = Project(tmp_path, settings())
    authority = new_key()
    valid = (NOW, NOW.replace(day=29) - NOW)
    for name, key in (("good", GOOD), ("evil", EVIL)):
        (tmp_path / f"{name}.pub").write_text(f"{key}\n")
        signed = sign_person(authority, key.encode(), person=name, users=["core"], valid=valid)
        (tmp_path / f"{name}-cert.pub").write_bytes(signed)

    def refused() -> set[str]:
        (tmp_path / "list").write_bytes(revoked_keys(project))
        names = sorted(file.name for file in tmp_path.glob("*.pub"))
        done = subprocess.run(
            ["ssh-keygen", "-Q", "-f", "list", *names],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert len(lines) == len(names), done.stderr
        return {line.split()[0].rstrip(":") for line in lines if line.endswith("REVOKED")}

    assert refused() == set()
    evil = read_key(EVIL)
    assert evil
    # sshd here may not know the type of a retired key.
    unknown = AccessKey("ssh-xmss@openssh.com", "AAAAFHNzaC14bXNzQG9wZW5zc2guY29t")
    retire(project, (evil, unknown))
    assert refused() == {"evil.pub", "evil-cert.pub"}
    kind, blob = public_line(authority).split()
    retire(project, (AccessKey(kind, blob),))
    assert refused() == {"evil.pub", "evil-cert.pub", "good-cert.pub"}


def test_a_revocation_list_without_keys_is_empty_and_always_the_same(tmp_path: Path) -> None:
    project = Project(tmp_path, settings())

    assert revoked_keys(project) == b"SSHKRL\n\0" + b"\0\0\0\1" + bytes(32)
    key = read_key(GOOD)
    assert key
    retire(project, (key,))
    assert key.digest in revoked_keys(project)
    assert revoked_keys(project, but=(key,)) == b"SSHKRL\n\0" + b"\0\0\0\1" + bytes(32)
