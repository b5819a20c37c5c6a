"""The cache keeps what was used last, within its bound."""

import os
import time
from pathlib import Path

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import compose
from tests.unit.deploy.image.make import image, layer

MADE = image([layer({"a": b"1"}), layer({"b": b"2"})])
ONE, TWO = MADE.diff_ids


def filled(folder: Path, limit: int = 10**9) -> Cache:
    cache = Cache(folder / "cache", limit)
    for number, (diff_id, tar) in enumerate(zip(MADE.diff_ids, MADE.layers, strict=True)):
        file = folder / "tar"
        file.write_bytes(tar)
        os.utime(file, (number, number))
        cache.add_layer(diff_id, file)
    return cache


def test_a_layer_that_was_taken_in_is_found(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    found = cache.layer(ONE)

    assert found is not None
    assert found.read_bytes() == MADE.layers[0]
    assert cache.layer("sha256:" + "0" * 64) is None


def test_the_layer_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = filled(tmp_path, limit=len(MADE.layers[1]))
    cache.layer(ONE)

    cache.trim(frozenset())

    assert cache.has(ONE)
    assert not cache.has(TWO)


def test_the_layers_of_the_image_at_hand_stay_whatever_the_bound(tmp_path: Path) -> None:
    cache = filled(tmp_path, limit=0)

    cache.trim(frozenset({TWO}))

    assert not cache.has(ONE)
    assert cache.has(TWO)


def test_an_image_is_known_by_its_id(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    content = compose(MADE.config, [len(one) for one in MADE.layers], {})
    cache.add_image(content)
    cache.add_image(content)

    assert cache.content(MADE.id) == content
    assert cache.known_layers()[ONE].made_by == "line 0"
    assert cache.content("sha256:" + "0" * 64) is None


def test_an_image_whose_notes_are_damaged_is_not_known(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    cache.add_image(compose(MADE.config, [len(one) for one in MADE.layers], {}))
    (cache.folder / "images" / MADE.id[7:] / "config").write_bytes(b"{}")

    assert cache.content(MADE.id) is None


def test_damaged_notes_of_an_image_are_replaced(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    content = compose(MADE.config, [len(one) for one in MADE.layers], {})
    cache.add_image(content)
    (cache.folder / "images" / MADE.id[7:] / "config").write_bytes(b"")

    cache.add_image(content)

    assert cache.content(MADE.id) == content


def test_what_another_process_removes_meanwhile_is_no_matter(tmp_path: Path) -> None:
    cache = filled(tmp_path, limit=len(MADE.layers[1]))
    (cache.folder / "layers/going").symlink_to("gone")

    cache.trim(frozenset())

    assert cache.has(TWO)
    assert not cache.has(ONE)


def test_a_dropped_layer_is_gone_and_an_unknown_one_no_matter(tmp_path: Path) -> None:
    cache = filled(tmp_path)

    cache.remove_layers(frozenset({ONE, "sha256:" + "0" * 64}))

    assert not cache.has(ONE)


def test_an_export_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 0)

    with cache.temporary_folder() as place:
        (place / "x").write_bytes(b"")

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_swept_up_a_day_later(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 0)
    for name, age in (("export-old", 90_000), ("export-new", 60)):
        (tmp_path / name).mkdir()
        seconds = time.time() - age
        os.utime(tmp_path / name, (seconds, seconds))

    cache.trim(frozenset())

    assert [path.name for path in tmp_path.iterdir()] == ["export-new"]


def test_what_files_a_layer_holds_is_known_after_the_layer_is_gone(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    found = cache.fingerprint(ONE)
    cache.remove_layers(frozenset({ONE}))

    assert found is not None
    assert list(found.values()) == [1]
    assert cache.fingerprint(ONE) == found
    assert cache.fingerprint(TWO) != found
    assert cache.fingerprint("sha256:" + "0" * 64) is None


def test_a_listing_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    cache.fingerprint(ONE)
    (file,) = (tmp_path / "cache/fingerprints").iterdir()
    file.write_text("[")

    assert cache.fingerprint(ONE)
