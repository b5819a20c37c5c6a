"""Release names sort by time; manifests are read back."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.node.release import Manifest, release_id
from tests.unit.deploy.examples import DESIRED, manifest

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
    older = manifest().model_dump(
        mode="json", exclude={"generations", "seconds", "health", "proof"}
    )

    read = Manifest.model_validate(older)
    assert (read.generations, read.seconds, read.health, read.proof) == ({}, {}, "", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/x HTTP/1.1\r\nHost: evil"},
        {"path": "health"},
        {"address": "shop.example.org:22"},
        {"address": "a b"},
        {"port": 0},
        {"port": 65536},
        {"names": []},
        {"names": ["x\r\nHost: evil"]},
        {"switch": "never"},
    ],
    ids=str,
)
def test_a_check_that_no_settings_could_ask_for_is_refused(wrong: dict[str, object]) -> None:
    written = manifest().model_dump(mode="json")
    written["proof"] = DESIRED.proof.model_dump() | wrong

    with pytest.raises(ValidationError, match="proof"):
        Manifest.model_validate_json(json.dumps(written))
