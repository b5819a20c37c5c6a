"""A shop whose site is healthy."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs import keyfile
from certs.store import Material, write_public, write_secret
from deploy.app import planner
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from tests.unit.certs.forge import Made, Recipe, forge
from tests.unit.deploy.app.shop import DAY, NAME, PASSWORD, NamedImage, Shop
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.site import page, serve


@pytest.fixture(scope="session")
def shown() -> Made:
    """The certificate that the shop has and its site shows."""
    now = datetime.now(UTC)
    return forge(Recipe(subject=NAME, names=(NAME,), start=now - DAY, end=now + 90 * DAY))


@pytest.fixture
def shop(
    tmp_path: Path, shown: Made, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, home: Path
) -> Iterator[Shop]:
    """A shop with certificate and key, whose site is healthy."""
    material = Material("shop-www", tmp_path / "certs/material")
    material.key.parent.mkdir(parents=True, mode=0o700)
    write_public(material.certificate, shown.certificate.pem)
    write_secret(material.key, keyfile.encrypt(shown.key, PASSWORD.encode()))
    image = Export(NamedImage(), Cache(tmp_path / "cache", 0))
    monkeypatch.setattr(planner, "open_image", lambda _: image)
    with serve(page("200 OK"), shown) as site:
        yield Shop(tmp_path, remote, site)
