"""Release names sort by time; manifests are read back."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.node.release import Manifest, release_id
from tests.unit.deploy.examples import manifest

TIMES = st.integers(0, 2**35).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(TIMES, TIMES)
def test_release_names_sort_by_time(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))

    assert release_id(first, "ffff")[:15] <= release_id(second, "0000")[:15]


@given(TIMES, TIMES)
def test_a_slow_clock_still_names_a_newer_release(one: datetime, other: datetime) -> None:
    serving = release_id(one, "ffff")

    assert release_id(other, "0000", serving) > serving


def test_two_releases_in_one_second_have_different_names() -> None:
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert release_id(now, "ab12") == "20300102-030405-ab12"
    assert release_id(now, "ab12") != release_id(now, "cd34")


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.model_validate_json(manifest().model_dump_json()) == manifest()


def test_a_manifest_of_an_older_corefab_is_read() -> None:
    older = manifest().model_dump(mode="json", exclude={"credentials", "seconds", "health"})

    read = Manifest.model_validate(older)
    assert (read.generations, read.seconds, read.health) == ({}, {}, "")
