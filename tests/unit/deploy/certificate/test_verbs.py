"""Certificates are issued, served, renewed and restored; a failure restores the previous pair."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.errors import CertError
from certs.keyfile import decrypt
from certs.pair import load
from deploy.app.credentials import Credentials
from deploy.app.health import Visit
from deploy.app.own_keys import own_key
from deploy.app.tls import load_pair, material
from deploy.certificate import serve
from deploy.certificate.issue import cert_issue, cert_request
from deploy.certificate.renew import cert_renew
from deploy.certificate.rotate import cert_restore, cert_rotate_https, change_password
from deploy.certificate.source import CertOptions
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.endpoint import Endpoint
from deploy.node.state import NodeState
from deploy.project import Project
from tests.unit.deploy.examples import AUTHORITY_PASSWORD, fresh, manifest, settings, state
from tests.unit.deploy.fake_remote import FakeRemote, refusal

WEB1 = Endpoint("192.0.2.1", 443, "x")
STEPS = ["certificate-stage", "certificate-swap", "certificate-finish"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a certificate, whose endpoint shows whatever is expected."""
    monkeypatch.setattr(session, "endpoints", lambda *_: (WEB1,))
    monkeypatch.setattr(serve, "wait_until_healthy", lambda *_, **__: None)
    monkeypatch.setattr(serve, "visit", lambda *_: Visit(WEB1, "", ()))
    made = project(tmp_path)
    cert_issue(made, CertOptions(), credentials(made))
    return made


def project(folder: Path, **values: object) -> Project:
    own = {"CERT_PASSWORD": "hunter2", "NODE_ADDRESS": "web1", "RELOAD_SIGNAL": "HUP"}
    return Project(folder, settings(**own | values))


def credentials(project: Project) -> Credentials:
    return Credentials(project.settings, None)


def node(remote: FakeRemote, base: NodeState | None = None, **changes: object) -> FakeRemote:
    now = int(datetime.now(UTC).timestamp())
    held = (base or state()).model_copy(update={"clock": now} | changes)
    remote.answers["probe"] = held.model_dump_json()
    return remote


def serving(project: Project) -> str:
    return load_pair(project).leaf.sha256


def test_an_issued_pair_is_kept_encrypted_and_no_node_is_asked(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    first = serving(shop)
    cert_issue(shop, CertOptions(), credentials(shop))

    assert serving(shop) != first
    assert b"ENCRYPTED" in material(shop).key.read_bytes()
    assert "visitors trust certs/material" in capsys.readouterr().out
    assert remote.commands == []


def test_a_request_names_the_next_command(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    cert_request(shop, credentials(shop))

    assert "fab cert-rotate-https --certificate FILE" in capsys.readouterr().out


def test_a_rotation_stages_swaps_and_records(shop: Project, remote: FakeRemote) -> None:
    old = serving(shop)
    node(remote)

    cert_rotate_https(shop, CertOptions(), credentials(shop))

    assert serving(shop) != old
    assert remote.scripts == ["probe", "lock", *STEPS]
    line = json.loads(remote.the("certificate-finish").arguments[-1])
    assert (line["what"], line["detail"]) == ("certificate", f"SHA-256 {serving(shop)}")


def test_a_rotation_that_the_node_refuses_restores_the_old_pair(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    old = serving(shop)
    node(remote).answers["certificate-swap"] = refusal("the key is not the certificate's")

    with pytest.raises(DeployError, match="not the certificate's"):
        cert_rotate_https(shop, CertOptions(), credentials(shop))

    assert serving(shop) == old
    assert remote.all_of("certificate-undo")
    assert f"previous certificate restored: SHA-256 {old}" in capsys.readouterr().out


def test_a_restored_pair_is_served_and_the_present_one_can_come_back(
    shop: Project, remote: FakeRemote
) -> None:
    node(remote)
    first = serving(shop)
    cert_rotate_https(shop, CertOptions(), credentials(shop))
    second = serving(shop)

    cert_restore(shop, credentials(shop))
    assert serving(shop) == first
    cert_restore(shop, credentials(shop))
    assert serving(shop) == second


def test_an_invalid_previous_pair_is_not_restored(shop: Project, remote: FakeRemote) -> None:
    cert_issue(shop, CertOptions(), credentials(shop))
    present = serving(shop)
    other = project(shop.folder, CERT_NAMES="other.example.org")

    with pytest.raises(CertError):
        cert_restore(other, credentials(other))

    assert serving(shop) == present
    assert remote.commands == []


def test_an_app_without_a_reload_signal_is_deployed(
    shop: Project, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = []
    monkeypatch.setattr(serve, "deploy", lambda _, options: deployed.append(options.what))
    without = project(shop.folder, RELOAD_SIGNAL="")
    node(remote)

    serve.serve_pair(without, credentials(without))

    assert deployed == ["certificate"]
    assert remote.scripts == ["probe"]


def test_an_app_that_is_not_on_the_node_is_left_to_a_deploy(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    node(remote, fresh())

    serve.serve_pair(shop, credentials(shop))

    assert "run `fab deploy --first`" in capsys.readouterr().out


def test_a_node_whose_clock_is_wrong_is_refused(shop: Project, remote: FakeRemote) -> None:
    node(remote, clock=0)

    with pytest.raises(DeployError, match="certificates would begin and expire"):
        serve.serve_pair(shop, credentials(shop))

    assert remote.scripts == ["probe"]


def test_a_renewal_that_is_not_due_serves_what_is_here(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf = serving(shop)
    pair = load_pair(shop)
    held = manifest(certificate=leaf, key=hashlib.sha256(pair.key_file).hexdigest())
    node(remote, manifest=held)

    cert_renew(shop, CertOptions(), credentials(shop), force=False)

    assert serving(shop) == leaf
    assert remote.scripts == ["probe"]
    shown = capsys.readouterr().out
    assert "is not due" in shown
    assert "already" in shown


def test_a_forced_renewal_rotates(shop: Project, remote: FakeRemote) -> None:
    node(remote)
    old = serving(shop)

    cert_renew(shop, CertOptions(), credentials(shop), force=True)

    assert serving(shop) != old
    assert remote.scripts[-3:] == STEPS


def test_a_changed_password_encrypts_every_key_and_is_sealed_on_the_node(
    shop: Project, remote: FakeRemote
) -> None:
    node(remote, credentials={"cert_pass": "different"})
    certificate = serving(shop)
    cert_request(shop, credentials(shop))
    kept = material(shop)
    own = (kept.ssh_authority_key, kept.publish_key, kept.next_publish_key)
    for path in own:
        own_key(path, credentials(shop))
    changed = project(
        shop.folder,
        CERT_PASSWORD="new one",
        CERT_PASSWORD_OLD="hunter2",
        AUTHORITY_PASSWORD="new too",
        AUTHORITY_PASSWORD_OLD=AUTHORITY_PASSWORD,
    )

    change_password(changed, credentials(changed))

    assert remote.the("certificate-seal").stdin == b"new one"
    assert serving(shop) == certificate
    for key in (load(material(shop)).key, material(shop).request_key.read_bytes()):
        decrypt(key, b"new one", source="key")
    for path in (kept.authority_key, *own):
        decrypt(path.read_bytes(), b"new too", source="key")


def test_a_refused_password_leaves_the_key_as_it_was(shop: Project, remote: FakeRemote) -> None:
    node(remote, credentials={"cert_pass": "different"})
    remote.answers["certificate-seal"] = refusal("no TPM")
    changed = project(shop.folder, CERT_PASSWORD="new one", CERT_PASSWORD_OLD="hunter2")

    with pytest.raises(DeployError, match="no TPM"):
        change_password(changed, credentials(changed))

    decrypt(load(material(shop)).key, b"hunter2", source="key")


def test_without_the_authoritys_password_a_changed_one_changes_nothing(
    shop: Project, remote: FakeRemote
) -> None:
    changed = project(
        shop.folder, CERT_PASSWORD="new one", CERT_PASSWORD_OLD="hunter2", AUTHORITY_PASSWORD=None
    )

    with pytest.raises(DeployError, match="AUTHORITY_PASSWORD is not set"):
        change_password(changed, credentials(changed))

    decrypt(load(material(shop)).key, b"hunter2", source="key")
    assert remote.commands == []


def test_an_authority_that_no_password_opens_is_left_with_a_warning(
    shop: Project, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    node(remote)
    before = material(shop).authority_key.read_bytes()
    changed = project(shop.folder, AUTHORITY_PASSWORD="another")

    change_password(changed, credentials(changed))

    assert "AUTHORITY_PASSWORD does not open this key" in capsys.readouterr().err
    assert material(shop).authority_key.read_bytes() == before
