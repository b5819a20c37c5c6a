"""Credentials are published for one node alone, encrypted to its own key."""

from datetime import UTC, datetime
from typing import Any

import pytest

from certs.envelope import KIND, open_envelope, read_certificates, self_signed
from certs.keyfile import PrivateKey, new_key
from deploy.bundle.credentials import publish_credentials
from deploy.bundle.publish import publish_node
from deploy.credential.seal import creds_rotate, creds_seal, creds_set
from deploy.errors import DeployError
from deploy.project import Project
from tests.unit.deploy.bundle.conftest import project_of
from tests.unit.deploy.bundle.test_publish import published
from tests.unit.deploy.registry.fake_registry import FakeRegistry

pytestmark = [pytest.mark.loopback, pytest.mark.program]
HASH = "$y$j9T$0123456789abcdef01234$0123456789012345678901234567890123456789012"


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return new_key(KIND)


@pytest.fixture
def closed(project: Project, registry: FakeRegistry, key: PrivateKey) -> Project:
    values: dict[str, Any] = {
        "SSH": "off",
        "CONSOLE_PASSWORD_HASH": HASH,
        "NODE_ADDRESS": "node1",
        "SECRET_*": {"token": "s3cret"},
        "SECRET_*_COMMAND": {"other": "echo 0ther"},
    }
    made = project_of(project.folder, registry, **values)
    made.node_certificate.parent.mkdir(parents=True)
    made.node_certificate.write_bytes(
        self_signed(key, "corefab-node", now=datetime(2030, 1, 1, tzinfo=UTC))
    )
    return made


def opened(registry: FakeRegistry, project: Project, key: PrivateKey) -> dict[str, bytes]:
    pem = project.node_certificate.read_bytes()
    own = read_certificates(pem, source="here")
    return {
        name: open_envelope(data, own, key, source=name)
        for name, data in published(registry)[1].items()
        if name.startswith("secrets/")
    }


def test_credentials_are_for_the_nodes_key_and_say_what_they_are(
    closed: Project, registry: FakeRegistry, key: PrivateKey
) -> None:
    creds_seal((closed,), "", go_on=False)

    assert opened(registry, closed, key) == {
        "secrets/shop-www/other.cms": b"shop-www/other\n0ther",
        "secrets/shop-www/token.cms": b"shop-www/token\ns3cret",
    }
    everything = b"".join((*registry.blobs.values(), *published(registry)[1].values()))
    assert b"s3cret" not in everything
    assert b"0ther" not in everything


def test_another_value_replaces_the_one_before_and_files_leave_it(
    closed: Project, registry: FakeRegistry, key: PrivateKey
) -> None:
    creds_rotate(closed, "token")
    publish_credentials(closed, {"token": "another"})
    publish_node(closed)

    assert opened(registry, closed, key) == {
        "secrets/shop-www/token.cms": b"shop-www/token\nanother"
    }


def test_a_credential_that_the_app_has_no_more_leaves_the_bundle(
    closed: Project, registry: FakeRegistry, key: PrivateKey
) -> None:
    publish_credentials(closed, {"gone": "old", "token": "one"})

    publish_credentials(closed, {"other": "two"})

    assert set(opened(registry, closed, key)) == {
        "secrets/shop-www/other.cms",
        "secrets/shop-www/token.cms",
    }


def test_a_value_with_a_source_is_not_typed_in(closed: Project, registry: FakeRegistry) -> None:
    with pytest.raises(DeployError, match="comes from SECRET_TOKEN"):
        creds_set(closed, "token", lambda: "typed")

    assert registry.written == []


def test_without_the_nodes_key_nothing_is_published(
    closed: Project, registry: FakeRegistry
) -> None:
    closed.node_certificate.unlink()

    with pytest.raises(DeployError, match="node's key is not known here"):
        creds_rotate(closed, "token")

    assert registry.written == []
