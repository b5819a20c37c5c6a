"""Nothing secret is left anywhere by any operation, nor shown by any process on the way."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.keyfile import decrypt
from rehearsal import machine, places, state
from tests.system.conftest import API_TOKEN, CERT_PASSWORD, SMTP_PASSWORD
from tests.system.leaks import files_with, sampled
from tests.system.project import AUTHORITY_PASSWORD, Project
from tests.unit.certs.pebble import Pebble, running

pytestmark = pytest.mark.node

NEW_PASSWORD, NEW_TOKEN, TYPED = (secrets.token_urlsafe(24) for _ in range(3))
WRONG = secrets.token_urlsafe(24)
PLANTED = secrets.token_urlsafe(24)
HMAC_KEY = secrets.token_urlsafe(48)
NEW_AUTHORITY_PASSWORD = secrets.token_urlsafe(24)
SECRETS = (
    *(CERT_PASSWORD, SMTP_PASSWORD, API_TOKEN, NEW_PASSWORD, NEW_TOKEN, TYPED, WRONG, PLANTED),
    *(HMAC_KEY, AUTHORITY_PASSWORD, NEW_AUTHORITY_PASSWORD),
)
# The app cannot be reached with it: a deploy fails after all of it was begun.
UNHEALTHY = {"ENV_BIND": "127.0.0.1", "HEALTH_TIMEOUT_SECONDS": "2"}
Program = Callable[[str], str]


@pytest.fixture
def env(serving: Project) -> Iterator[Path]:
    """The settings file, put back as it was: it is the one place where secrets may lie here."""
    file = serving.folder / ".env"
    usual = file.read_text()
    yield file
    file.write_text(usual)
    serving.fab("cert-rotate-https", "--password-only")
    serving.must("deploy")


def change(env: Path, **values: str) -> None:
    kept = [line for line in env.read_text().splitlines() if line.partition("=")[0] not in values]
    env.write_text("\n".join([*kept, *(f"{key}={value}" for key, value in values.items())]) + "\n")


@pytest.fixture
def pebble(deployed: Project, tmp_path: Path, program: Program) -> Iterator[Pebble]:
    """An authority that visits the node, and takes only customers who have a key."""
    folder = tmp_path / "pebble"
    folder.mkdir()
    moods = {"PEBBLE_VA_NOSLEEP": "1"}
    visits = (deployed.node.address, 80)
    with running(folder, program, moods, binding=HMAC_KEY, visits=visits) as found:
        yield found


def every_operation(project: Project, env: Path, folder: Path, pebble: Pebble) -> Iterator[str]:
    """Go through what there is to do with secrets, debugging on, failures among it."""

    def fab(*words: str, **settings: str) -> str:
        return project.fab("--debug", "--echo", *words, TMPDIR=str(folder), **settings).out

    yield from changes_of_secrets(fab, env, folder.with_name("typed"))
    yield from changes_of_keys(fab, folder.with_name("person"))
    yield from an_outside_authority(fab, env, pebble)
    change(env, CERT_PASSWORD=CERT_PASSWORD, CERT_PASSWORD_OLD=NEW_PASSWORD)
    authority = {"AUTHORITY_PASSWORD_OLD": NEW_AUTHORITY_PASSWORD}
    change(env, AUTHORITY_PASSWORD=AUTHORITY_PASSWORD, **authority)
    yield fab("cert-rotate-https", "--password-only")
    for words in ("plan --json", "drift --json", "converge", "releases", "status --json", "logs"):
        yield fab(*words.split())
    yield fab("audit", "--every", "--json", "--lines", "200")


def changes_of_keys(fab: Callable[..., str], person: Path) -> Iterator[str]:
    """SSH keys and host keys come and go; none of it may say more than a fingerprint."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", person], check=True)
    yield fab("access-add", "ann", "--key", f"{person}.pub")
    yield fab("access-sign", "ann", "--key", f"{person}.pub", "--hours", "1")
    for words in ("access-remove ann", "access-remove authority", "access-remove nobody"):
        yield fab(*words.split())
    yield fab("access-list", "--json")
    yield fab("cert-rotate-ssh")
    yield fab("host-key-rotate", "--at-once")
    yield fab("host-key-rotate", "--finish")


def an_outside_authority(fab: Callable[..., str], env: Path, pebble: Pebble) -> Iterator[str]:
    """A certificate by ACME for a customer, at first with another's key; then our own again."""
    usual = env.read_text()
    customer = {"ACME_KEY_ID": "kid-1", "ACME_HMAC_KEY": WRONG, "CERT_FROM": "acme"}
    server = {"ACME_DIRECTORY": pebble.server.directory, "ACME_ROOT": str(pebble.server.trust)}
    change(env, **customer, **server, ACME_TERMS_AGREED="true")
    yield fab("cert-rotate-https")
    change(env, ACME_HMAC_KEY=HMAC_KEY)
    said = fab("cert-rotate-https")
    assert "certificate rotated" in said, said
    yield said
    env.write_text(usual)
    yield fab("cert-rotate-https")


def changes_of_secrets(fab: Callable[..., str], env: Path, value: Path) -> Iterator[str]:
    """Each password and token changes, is refused, fails and comes back."""
    change(env, ENV_BIND="::,0.0.0.0")
    yield fab("deploy", ENV_GREETING="for the leak test")
    yield fab("deploy", **UNHEALTHY)
    yield fab("cert-status", "--json")
    yield fab("creds-list", "--json")
    authority = {"AUTHORITY_PASSWORD_OLD": AUTHORITY_PASSWORD}
    change(env, AUTHORITY_PASSWORD=NEW_AUTHORITY_PASSWORD, **authority)
    change(env, CERT_PASSWORD=NEW_PASSWORD, CERT_PASSWORD_OLD=WRONG)
    yield fab("cert-rotate-https", "--password-only")
    change(env, CERT_PASSWORD_OLD=CERT_PASSWORD)
    yield fab("cert-rotate-https", "--password-only")
    yield fab("cert-rotate-https", HEALTH_PATH="/nowhere", HEALTH_TIMEOUT_SECONDS="1")
    yield fab("cert-renew", "--force", RELOAD_SIGNAL="", **UNHEALTHY)
    yield fab("cert-rotate-https")
    yield fab("cert-restore")
    yield fab("cert-request")
    yield fab("cert-renew", "--force", RELOAD_SIGNAL="")
    change(env, SECRET_API_TOKEN=NEW_TOKEN)
    yield fab("plan")
    yield fab("creds-rotate", "api_token")
    change(env, SECRET_API_TOKEN=WRONG)
    yield fab("creds-rotate", "api_token", **UNHEALTHY)
    value.write_text(TYPED)
    change(env, SECRET_API_TOKEN="", SECRET_API_TOKEN_COMMAND=f"cat {value}; exit 3")
    yield fab("creds-rotate", "api_token")
    change(env, SECRET_API_TOKEN=NEW_TOKEN, SECRET_API_TOKEN_COMMAND="", SECRET_TYPED="")
    yield fab("creds-set", "typed", "--file", str(value))
    value.unlink()
    yield fab("creds-seal")


@pytest.mark.slow
def test_no_operation_leaves_or_shows_a_secret_and_a_planted_one_is_found(
    serving: Project, env: Path, tmp_path: Path, pebble: Pebble
) -> None:
    app = serving.settings["PROJECT"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with sampled(SECRETS) as seen:
        said = list(every_operation(serving, env, temporary, pebble))

    journal = serving.ssh("journalctl -q --no-pager -o verbose --all")
    inspected = serving.ssh(
        f"podman inspect $(podman ps -a --format '{{{{.Names}}}}' | grep {app}); podman history "
        f"$(podman ps --format '{{{{.Image}}}}' | grep {app} | head -n 1) --no-trunc"
    )
    texts = {"output": "".join(said), "journal": journal, "inspect": inspected}
    keys = plain_keys(serving)
    marks = (*SECRETS, *keys)
    assert {name for name, text in texts.items() if holds(text, marks)} == set()
    assert seen.found == set()
    assert seen.looks > 100
    histories = [path for path in Path.home().glob(".*_history") if path.is_file()]
    searched = (serving.node.tree, serving.folder, temporary, *histories)
    found = files_with(marks, *searched, scratch=tmp_path)
    # The settings are where the secrets come from, also those of another test's instance.
    settings = {str(file) for file in serving.folder.glob(".env*")}
    assert set(found) <= {*settings, str(serving.folder / "id")}
    assert files_with(keys, serving.folder, scratch=tmp_path) == [str(serving.folder / "id")]
    remembered = files_with(marks, *memory(serving), scratch=tmp_path)
    assert remembered
    # Where systemd unseals them for the unit, and where the container sees them.
    slot = rf"{app}-\w+-(blue|green)"
    place = re.compile(rf"/run/(credentials/{slot}\.service|{slot}/secrets)/\w+$")
    assert [path for path in remembered if not place.search(path)] == []
    for failure in (
        "not healthy",
        "does not open this key",
        "_COMMAND failed",
        "has no keys of",
    ):
        assert failure in texts["output"], failure
    # Debugging shows the traceback of an expected error, and there is no other.
    traced = [text for text in said if "Traceback" in text]
    assert traced
    assert [text for text in traced if "\nerror: " not in text] == []
    control(serving, tmp_path)


def holds(text: str, marks: Iterable[str] = SECRETS) -> bool:
    return any(mark in text for mark in marks)


def memory(project: Project) -> tuple[Path, ...]:
    """Name what the node keeps in memory as files; the disk's tree has nothing of it.

    What the rehearsal has mounted there is not the node's: another /proc among it, whose files
    have no end.
    """
    record = state.load(places.folder(project.settings["PROJECT"]))
    assert record
    root = Path(f"/proc/{machine.leader(record.network)}/root")
    run = [entry for entry in (root / "run").iterdir() if entry.name != "rehearsal"]
    return (*run, root / "tmp", root / "dev/shm")


def plain_keys(project: Project) -> tuple[str, ...]:
    """Read the lines that private keys would have as plain text: of TLS, authorities and SSH."""
    material = project.folder / "certs/material"
    lines = (project.folder / "id").read_text().splitlines()[4:5]
    for file in material.rglob("*.key.enc"):
        if "previous" not in file.parts:
            own = file.parent.name in ("authority", "acme")
            password = AUTHORITY_PASSWORD if own else CERT_PASSWORD
            key = decrypt(file.read_bytes(), password.encode(), source=file.name)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            lines += pem.decode().splitlines()[1:3]
    assert len(lines) > 8
    return tuple(lines)


def control(project: Project, scratch: Path) -> None:
    """Plant a secret in each kind of place: the search has to find every one."""
    wait = ["-c", "import sys; sys.stdin.read()"]
    with sampled(SECRETS) as seen:
        shown = {**os.environ, "PLANTED": PLANTED}
        for words, environment in (([*wait, PLANTED], None), (wait, shown)):
            process = subprocess.Popen(
                [sys.executable, *words], stdin=subprocess.PIPE, env=environment
            )
            before = seen.looks
            while seen.looks < before + 2:
                assert process.poll() is None
            process.communicate()
    assert {word.partition(":")[0] for word in seen.found} == {"cmdline", "environ"}

    file = "/var/lib/corefab/planted"
    project.ssh(f"echo 'x{PLANTED}y' | tee {file} | systemd-cat -t planted; journalctl --sync")
    found = files_with(SECRETS, project.node.tree, scratch=scratch)
    assert str(project.node.tree / file.removeprefix("/")) in found
    assert holds(project.ssh("journalctl -q --no-pager -t planted"))
    project.ssh(f"rm {file}; journalctl -q --rotate; journalctl -q --vacuum-time=1s")
