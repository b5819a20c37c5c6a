"""An app's findings: seals, keys and clocks; and the same as text for Prometheus."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from deploy.access.list import find_owners
from deploy.errors import DeployError
from deploy.inventory.app import Inventory
from deploy.inventory.places import Place
from deploy.inventory.prometheus import as_prometheus
from deploy.inventory.status import show_inventory
from deploy.node.answer import read_answer
from deploy.node.holdings import AuthorizedKey, Holdings, NodeHostKey, SealedCredential
from deploy.spec.access_key import AccessKey
from tests.unit.certs.forge import Recipe, authority, forge
from tests.unit.deploy.examples import manifest, settings

CERTIFICATE = forge(Recipe(names=("www.example.org",)), authority()).certificate
NOW: datetime = CERTIFICATE.not_after - timedelta(days=60)
ANN = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIAnnxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    'ann "of" desk',
)
HOST = "5a1c6a86df9d4096b1d5a65e0862f19a"
SOUND = Holdings(
    clock=int(NOW.timestamp()),
    release="",
    inside="",
    host_keys=(NodeHostKey(key="ssh-ed25519 AAAAhost", age_seconds=90000),),
    host_keys_changing=False,
    access=(AuthorizedKey(user="core", file="/x", line=ANN.line, age_seconds=90000),),
    manifest=manifest(generations={"cert_pass": 2}),
    compared={},
    credentials=(SealedCredential(name="cert_pass", age_seconds=3, seal=HOST, opens=True),),
)


def inventory(**changes: object) -> Inventory:
    holdings = SOUND.model_copy(update=changes)
    places = (Place("workstation", CERTIFICATE), Place("node", CERTIFICATE))
    access = tuple(find_owners(holdings.access, {ANN.blob: "ann"}, frozenset()))
    return Inventory(settings(), NOW, places, holdings, access, frozenset())


def texts(one: Inventory) -> list[tuple[str, bool]]:
    return [(finding.text, finding.is_error) for finding in one.findings]


def test_a_node_in_order_has_no_findings() -> None:
    assert texts(inventory()) == []


def test_a_seal_that_does_not_open_and_one_that_is_missing_are_errors() -> None:
    closed = SOUND.credentials[0].model_copy(update={"opens": False})

    ((text, is_error),) = texts(inventory(credentials=(closed,)))
    assert is_error
    assert "cert_pass cannot be decrypted" in text
    assert "creds-seal" in text
    ((text, is_error),) = texts(inventory(credentials=()))
    assert is_error
    assert "cert_pass is not on the node" in text


@pytest.mark.parametrize(("days", "word"), [(-1, "has expired"), (5, "expires on"), (90, None)])
def test_an_access_key_that_expires_soon_is_a_warning(days: int, word: str | None) -> None:
    line = ANN.until(NOW + timedelta(days=days)).line

    found = texts(
        inventory(access=(AuthorizedKey(user="core", file="/x", line=line, age_seconds=1),))
    )

    assert [is_error for _, is_error in found] == ([False] if word else [])
    assert all(str(word) in text and "ann" in text for text, _ in found)


def test_a_retired_key_that_is_still_authorized_is_a_warning() -> None:
    ((text, _),) = texts(replace(inventory(), retired=frozenset({ANN.blob})))

    assert "is still authorized; run `fab" in text


def test_a_retired_key_of_another_user_is_to_be_removed_by_hand() -> None:
    found = inventory(access=(AuthorizedKey(user="root", file="/x", line=ANN.line, age_seconds=1),))

    ((text, _),) = texts(replace(found, retired=frozenset({ANN.blob})))

    assert text.endswith("is still authorized; remove it from /x by hand")


def test_a_line_that_is_not_understood_is_a_warning_and_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = f'command="x {ANN.line}'
    found = inventory(
        access=(AuthorizedKey(user="core", file="/x", line=line, age_seconds=1),),
    )

    ((text, is_error),) = texts(found)
    show_inventory(found)

    assert not is_error
    assert text == f"a line of /x is not understood and may let someone log in: {line}"
    assert "not understood" in capsys.readouterr().out


def test_host_keys_that_are_being_changed_are_a_warning() -> None:
    ((text, is_error),) = texts(inventory(host_keys_changing=True))

    assert not is_error
    assert "--finish" in text


@pytest.mark.parametrize("seconds", [-31536000, -301, 301, 31536000])
def test_a_clock_that_is_off_is_an_error(seconds: int) -> None:
    ((text, is_error),) = texts(inventory(clock=SOUND.clock + seconds))

    assert is_error
    assert ("ahead of" if seconds > 0 else "behind") in text


@pytest.mark.parametrize(
    ("seal", "name"),
    [
        (HOST, "host"),
        ("0c7cc07b117645919c4b0bea08bc20fe", "tpm2"),
        ("93a894094874449090caf2fc93cab553", "host+tpm2"),
        ("058469daf6f54324800549da0f8ea2fb", "nothing"),
        ("", "unknown"),
    ],
)
def test_a_seal_says_which_keys_it_was_made_with(seal: str, name: str) -> None:
    held = SealedCredential(name="x", age_seconds=0, seal=seal, opens=True)

    assert held.sealed_with == name


@pytest.mark.parametrize("answer", ["", "[]", '{"clock": "now"}', "rubbish"])
def test_an_invalid_answer_is_refused(answer: str) -> None:
    with pytest.raises(DeployError, match="cannot be read at"):
        read_answer(Holdings, answer, "holdings")


def test_the_table_says_that_all_places_agree_and_not_when_one_or_all_have_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sound = inventory()
    one_missing = replace(sound, places=(sound.places[0], Place("node", None, "nothing there")))
    all_missing = replace(sound, places=(Place("workstation", None, "no file"),))

    show_inventory(sound)
    assert "all 2 places have the same certificate" in (shown := capsys.readouterr().out)
    assert f"serial {CERTIFICATE.serial}" in shown
    for other in (one_missing, all_missing):
        show_inventory(other)
        assert "have the same" not in capsys.readouterr().out
        assert 'corefab_certificate_agrees{app="shop-www",node=""} 0' in as_prometheus([other])


def test_prometheus_text_has_help_type_and_samples_of_every_app() -> None:
    text = as_prometheus([inventory(), inventory(clock=0)])

    for line in text.splitlines():
        assert re.fullmatch(
            r'# (HELP|TYPE) corefab_\w+ .+|# EOF|corefab_\w+\{(\w+="([^"\\\n]|\\.)*",?)+\} -?\d+',
            line,
        ), line
    assert text.count("# TYPE corefab_findings gauge") == 1
    assert text.count('corefab_findings{app="shop-www",node="",severity="error"}') == 2
    assert 'corefab_credential_opens{app="shop-www",node="",credential="cert_pass"' in text
    assert str(int(CERTIFICATE.not_after.timestamp())) in text
    assert text.endswith("\n")


def test_a_key_in_several_files_is_one_sample_of_its_user() -> None:
    held = tuple(
        AuthorizedKey(user=user, file=file, line=ANN.line, age_seconds=age)
        for user, file, age in (("core", "/a", 5), ("core", "/b", 7), ("root", "/c", 9))
    )

    text = as_prometheus([inventory(access=held)])

    lines = [line for line in text.splitlines() if line.startswith("corefab_access_key_age")]
    assert [line.rpartition(" ")[2] for line in lines] == ["7", "9"]
    assert 'user="core"' in lines[0]
    assert 'user="root"' in lines[1]
