"""A running app gets a new certificate, checked by handshakes, or keeps the previous one."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.app.tls import Pair
from deploy.certificate.serve import Reload
from deploy.errors import DeployError
from deploy.node.release import proof_of
from tests.unit.certs.forge import Recipe, chained, forge
from tests.unit.deploy.examples import manifest, settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal
from tests.unit.deploy.site import Site, page, serve

pytestmark = [pytest.mark.loopback, pytest.mark.usefixtures("clock")]
MADE, OTHER = forge(Recipe()), forge(Recipe())
REFUSAL = refusal("the sealed password does not open the key")


def steps(remote: FakeRemote) -> list[str]:
    return [script.removeprefix("certificate-") for script in remote.scripts]


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(page("200 OK"), MADE) as running:
        yield running


def reload(
    remote: FakeRemote, site: Site, *, held: str = "e" * 64, password: bytes | None = None
) -> Reload:
    given = settings(HEALTH_TIMEOUT_SECONDS="1", RELOAD_SIGNAL="HUP")
    before = manifest(certificate=held, generations={"cert_pass": 4})
    pair = Pair(chained(MADE), b"sealed")
    return Reload(remote, given, (site.endpoint, site.endpoint), pair, before, password)


def test_it_is_staged_swapped_checked_at_every_address_and_recorded(site: Site) -> None:
    remote = FakeRemote()

    reload(remote, site).carry_out('{"what": "certificate"}')

    assert steps(remote) == ["stage", "swap", "finish"]
    assert len(site.requests) == 2
    assert remote.commands[1].arguments[-1] == "HUP"


def test_the_manifest_names_the_new_certificate_and_counts_a_new_password(site: Site) -> None:
    remote = FakeRemote()

    reload(remote, site, password=b"hunter2").carry_out("{}")

    assert steps(remote) == ["stage", "seal", "swap", "finish"]
    assert remote.commands[1].stdin == b"hunter2"
    with tarfile.open(fileobj=io.BytesIO(remote.commands[0].stdin)) as archive:
        file = archive.extractfile("manifest.json")
        assert file
        written = json.load(file)
    assert written["certificate"] == MADE.certificate.sha256
    assert written["generations"] == {"cert_pass": 5}


@pytest.mark.parametrize("step", ["stage", "swap", "finish"])
def test_a_refusal_of_the_node_puts_the_previous_one_back(site: Site, step: str) -> None:
    remote = FakeRemote({f"certificate-{step}": REFUSAL})
    made = reload(remote, site, held=MADE.certificate.sha256)

    with pytest.raises(DeployError, match="does not open the key") as caught:
        made.carry_out("{}")

    assert ("undo" in steps(remote)) == (step != "finish")
    if step != "finish":
        assert "serves again, proven by handshake" in caught.value.message


def test_one_that_is_not_shown_is_undone_and_that_is_checked_too(site: Site) -> None:
    remote = FakeRemote()
    made = reload(remote, site, held=MADE.certificate.sha256)
    shown = Reload(
        remote, made.settings, made.endpoints, Pair(chained(OTHER), b"x"), made.held, None
    )

    with pytest.raises(DeployError, match="not the expected one") as caught:
        shown.carry_out("{}")

    assert steps(remote) == ["stage", "swap", "undo"]
    assert "serves again" in caught.value.message


def test_an_interruption_undoes_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    remote = FakeRemote({"certificate-swap": KeyboardInterrupt()})

    with pytest.raises(KeyboardInterrupt):
        reload(remote, site, held=MADE.certificate.sha256).carry_out("{}")

    assert steps(remote) == ["stage", "swap", "undo"]
    assert "serves again" in capsys.readouterr().out


def test_a_failed_undo_is_reported(site: Site) -> None:
    remote = FakeRemote({"certificate-swap": REFUSAL, "certificate-undo": REFUSAL})

    with pytest.raises(DeployError, match="putting the previous certificate back failed"):
        reload(remote, site).carry_out("{}")


def test_it_is_checked_as_its_release_is_by_the_names_of_the_new_certificate(site: Site) -> None:
    remote = FakeRemote()
    made = reload(remote, site)
    proof = proof_of(settings(HEALTH_PATH="/own", CERT_NAMES="old.example.org"))
    held = made.held.model_copy(update={"proof": proof})

    replace(made, held=held).carry_out("{}")

    assert all(request.startswith(b"GET /own ") for request in site.requests)
    assert all(b"\r\nHost: shop.example.org:" in request for request in site.requests)
    with tarfile.open(fileobj=io.BytesIO(remote.commands[0].stdin)) as archive:
        file = archive.extractfile("manifest.json")
        assert file
        recorded = json.load(file)["proof"]
    assert recorded == proof.model_dump(mode="json") | {"names": ["shop.example.org"]}
