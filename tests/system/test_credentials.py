"""Credentials reach the app through the node's seal, and outlive a reinstall at their sources."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.authority import issue, new_authority
from certs.keyfile import new_key
from rehearsal import lifecycle
from tests.ports import free_port
from tests.system.conftest import API_TOKEN, NAME, SMTP_PASSWORD, authority
from tests.system.page import get
from tests.system.project import Project

pytestmark = pytest.mark.node
USER = "shop@example.org"


class Mailbox:
    """A mail server's ears: who logged in, and what came."""

    def __init__(self) -> None:
        self.logins: list[tuple[bytes, bytes]] = []
        self.mails: list[Envelope] = []
        self.came = threading.Event()

    def __call__(self, server: object, session: Session, envelope: Envelope,
                 mechanism: str, data: object) -> AuthResult:  # fmt: skip
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == SMTP_PASSWORD.encode())

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope)
        self.came.set()
        return "250 taken"


@pytest.fixture
def mailbox(serving: Project, tmp_path: Path) -> Iterator[tuple[Mailbox, int]]:
    """A mail server on this machine that takes mail over TLS from who has the password."""
    address, now, key = serving.gateway, datetime.now(UTC), new_key()
    root = new_authority("Mail", now=now, lifetime=timedelta(days=1), key=new_key())
    chain = issue(root, [address], now=now, lifetime=timedelta(days=1), key=key)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "mail.pem").write_bytes(chain.pem + plain)
    (serving.folder / "container/sample/files/mail-root.crt").write_bytes(root.certificate.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "mail.pem")
    box = Mailbox()
    port = free_port()
    server = Controller(
        box,
        hostname=address,
        port=port,
        tls_context=context,
        authenticator=box,
        auth_required=True,
        require_starttls=True,
    )
    server.start()
    try:
        yield box, port
    finally:
        server.stop()
        (serving.folder / "container/sample/files/mail-root.crt").unlink(missing_ok=True)


@pytest.mark.slow
def test_the_app_sends_mail_with_the_user_and_the_password_that_were_given(
    mailbox: tuple[Mailbox, int], serving: Project
) -> None:
    box, port = mailbox
    env = serving.folder / ".env"
    usual = env.read_text()
    env.write_text(usual + "ENV_SSL_CERT_FILE=/srv/files/mail-root.crt\n")
    app = serving.settings["PROJECT"] + "-www"
    try:
        serving.must("deploy", SMTP_HOST=serving.gateway, SMTP_PORT=str(port), SMTP_USER=USER)
        said = serving.ssh(
            f"podman exec $(podman ps --format '{{{{.Names}}}}' | grep '^{app}' | head -n 1) "
            "/usr/bin/python3 -m container.sample.app.mail ann@example.org 2>&1"
        )
    finally:
        env.write_text(usual)
    (serving.folder / "container/sample/files/mail-root.crt").unlink()
    serving.must("deploy")

    assert "took a mail for ann@example.org" in said
    assert box.came.wait(10)
    assert box.logins == [(USER.encode(), SMTP_PASSWORD.encode())]
    assert box.mails[0].rcpt_tos == ["ann@example.org"]
    assert SMTP_PASSWORD not in said


def secrets_folder(project: Project) -> str:
    app = project.settings["PROJECT"] + "-www"
    return f"$(ls -d /run/{app}*/secrets)"


def test_the_files_are_in_memory_and_the_containers_users_own(serving: Project) -> None:
    folder = secrets_folder(serving)
    uid = serving.ssh(f"id -u {serving.settings['PROJECT']}-www").strip()

    found = serving.ssh(f"stat -c '%a %u %n' {folder}/*; stat -f -c %T {folder}")

    *files, kind = found.strip().splitlines()
    assert kind in {"tmpfs", "ramfs"}
    assert {tuple(line.split()[:2]) for line in files} == {("400", uid)}
    assert len(files) == 3


def listed(project: Project, **settings: str) -> dict[str, dict[str, object]]:
    said = project.fab("creds-list", "--json", **settings)
    return {str(one["name"]): one for one in json.loads(said.out)["credentials"]}


def test_they_are_listed_with_source_seal_and_generation_and_never_a_value(
    serving: Project,
) -> None:
    said = serving.must("creds-list")
    found = listed(serving)

    assert set(found) == {"api_token", "cert_pass", "smtp_pass"}
    assert {one["state"] for one in found.values()} == {"same"}
    assert {one["sealed_with"] for one in found.values()} == {"host"}
    assert found["api_token"]["source"] == "SECRET_API_TOKEN in .env"
    assert API_TOKEN not in said
    assert serving.fab("creds-list", SECRET_API_TOKEN="other").code == 1


def test_a_new_value_at_its_source_is_sealed_and_counted(serving: Project) -> None:
    before = listed(serving)["api_token"]["generation"]
    said = serving.fab("creds-rotate", "api_token")
    assert said.code == 1
    assert "is sealed with this value already" in said.out

    serving.must("creds-rotate", "api_token", SECRET_API_TOKEN="a new token")

    assert serving.ssh(f"cat {secrets_folder(serving)}/api_token") == "a new token"
    assert listed(serving)["api_token"]["generation"] == int(str(before)) + 1
    (line,) = json.loads(serving.must("audit", "--lines", "1", "--json"))["lines"]
    assert (line["what"], line["result"]) == ("credentials", "ok")
    serving.must("creds-rotate", "api_token")


def test_what_has_another_source_cannot_be_set_and_the_keys_password_is_not_just_a_value(
    serving: Project, tmp_path: Path
) -> None:
    (tmp_path / "value").write_text("x\n")

    said = serving.fab("creds-set", "api_token", "--file", str(tmp_path / "value"))
    assert said.code == 1
    assert "SECRET_API_TOKEN in .env" in said.out
    assert "--password-only" in serving.fab("creds-rotate", "cert_pass").out
    assert "has no credential 'nothing'" in serving.fab("creds-seal", "--credential", "nothing").out


@pytest.mark.slow
def test_a_value_can_be_given_without_being_kept_here(serving: Project, tmp_path: Path) -> None:
    value = "given-once-ä"
    (tmp_path / "value").write_text(f"{value}\n")
    env = serving.folder / ".env"
    usual = env.read_text()
    env.write_text(f"{usual}SECRET_TYPED=\n")
    try:
        serving.must("creds-set", "typed", "--file", str(tmp_path / "value"))
        assert serving.ssh(f"cat {secrets_folder(serving)}/typed") == value
        assert listed(serving)["typed"]["state"] == "present"
        assert "nothing to do" in serving.must("deploy")
        kept = [file for file in serving.folder.rglob("*") if file.is_file()]
        assert not [file for file in kept if value.encode() in file.read_bytes()]
    finally:
        env.write_text(usual)
    serving.must("deploy")


def test_a_seal_that_no_longer_opens_is_reported_and_sealed_again(serving: Project) -> None:
    secret = "/var/lib/systemd/credential.secret"
    serving.ssh(f"cp -p {secret} /var/lib/kept; rm {secret}")

    broken = json.loads(serving.fab("cert-status", "--json").out)
    status = serving.fab("status").out
    said = serving.must("creds-seal")

    assert (
        len([text for text in broken["errors"] if "cannot be decrypted on this node" in text]) == 3
    )
    assert status.count("cannot be decrypted on this node; run `fab creds-seal`") == 3
    assert said.count("cannot be decrypted on the node") == 3
    assert {one["opens"] for one in listed(serving).values()} == {True}
    assert serving.fab("cert-status").code == 0
    # A release of before cannot run here any more; nothing is stopped to find that out.
    back = serving.fab("rollback")
    assert back.code == 1
    assert "api_token of release " in back.out
    assert " cannot be decrypted on this node: its key or TPM has changed" in back.out
    assert "nothing to do" in serving.must("deploy")
    # Other apps of the node are sealed with the key that was there.
    serving.ssh(f"mv /var/lib/kept {secret}")
    serving.must("creds-seal")


@pytest.mark.slow
def test_after_a_reinstall_one_command_brings_every_app_back(staging: Project) -> None:
    before = lifecycle.find(staging.settings["PROJECT"])
    staging.must("rehearsal-up")
    after = lifecycle.find(staging.settings["PROJECT"])
    assert before
    assert after
    assert before.boot_id != after.boot_id

    said = staging.must("creds-seal", "--all")

    assert said.count("is not on the node: deploying it") == 2
    for port, name in ((443, NAME), (8444, "staging.example.org")):
        assert get(after.address, port, name, authority(staging))[0] == 200
    assert staging.fab("cert-status", "--all").code == 0
