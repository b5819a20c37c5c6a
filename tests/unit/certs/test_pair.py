"""A certificate and its key, replaced together."""

import shutil
from pathlib import Path

import pytest

from certs import pair
from certs.errors import CertError
from certs.pair import Pair
from certs.store import Material, write_public, write_secret
from tests.unit.certs.forge import DAY, NOW, Recipe, forge


def made(name: str) -> Pair:
    return Pair(forge(Recipe(subject=name)).certificate.pem, f"key of {name}".encode())


ONE, TWO, THREE = made("one"), made("two"), made("three")


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return Material("serbest-www", tmp_path)


def test_the_first_pair_is_written_and_nothing_kept(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)

    assert pair.load(material) == ONE
    assert pair.kept(material) == ()
    assert {path.name for path in material.key.parent.iterdir()} == {"server.crt", "server.key.enc"}


def test_a_replaced_pair_is_kept_whole_and_private(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)
    pair.replace(material, TWO, now=NOW + DAY)

    (folder,) = pair.kept(material)
    assert pair.load(material) == TWO
    assert (folder / "server.key.enc").read_bytes() == ONE.key
    assert (folder / "server.key.enc").stat().st_mode & 0o777 == 0o600


def test_restoring_goes_back_and_restoring_again_returns(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)
    pair.replace(material, TWO, now=NOW + DAY)

    assert pair.restore(material, now=NOW + 2 * DAY) == ONE
    assert pair.load(material) == ONE
    assert pair.restore(material, now=NOW + 3 * DAY) == TWO


def test_restoring_passes_over_what_is_the_same_as_the_present(material: Material) -> None:
    for turn, new in enumerate((ONE, TWO, TWO)):
        pair.replace(material, new, now=NOW + turn * DAY)

    assert pair.restore(material, now=NOW + 3 * DAY) == ONE


def test_with_nothing_kept_there_is_nothing_to_restore(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)

    with pytest.raises(CertError, match="no earlier certificate"):
        pair.restore(material, now=NOW)


def test_only_the_latest_few_are_kept(material: Material) -> None:
    for turn in range(pair.KEPT + 3):
        pair.replace(material, made(str(turn)), now=NOW + turn * DAY)

    names = [folder.name for folder in pair.kept(material)]
    assert len(names) == pair.KEPT
    assert names[0] == "20300622T120000.000000Z"


@pytest.mark.parametrize("moved", [(), ("server.key.enc",), ("server.key.enc", "server.crt")])
def test_an_interrupted_replacement_is_finished_by_the_next_reader(
    material: Material, moved: tuple[str, ...]
) -> None:
    pair.replace(material, ONE, now=NOW)
    folder = material.key.parent / "next"
    write_secret(folder / "server.key.enc", TWO.key)
    write_public(folder / "server.crt", TWO.chain)
    for name in moved:
        (folder / name).replace(material.key.parent / name)

    assert pair.load(material) == TWO
    assert not folder.exists()


def test_one_interrupted_before_it_was_whole_never_happened(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)
    write_secret(material.key.parent / ".next" / "server.key.enc", TWO.key)

    assert pair.load(material) == ONE
    pair.replace(material, THREE, now=NOW + DAY)
    assert pair.load(material) == THREE


def test_a_key_is_not_in_a_pairs_text_and_its_fingerprint_is_the_leafs(material: Material) -> None:
    leaf = forge(Recipe()).certificate

    assert "key of" not in repr(ONE)
    assert Pair(leaf.pem, b"").sha256 == leaf.sha256


def test_a_folder_that_cannot_be_written_is_told(material: Material) -> None:
    pair.replace(material, ONE, now=NOW)
    shutil.rmtree(material.key.parent)
    material.key.parent.write_bytes(b"")

    with pytest.raises(CertError, match="serbest-www"):
        pair.replace(material, TWO, now=NOW)
