"""A rollback goes to the release before, or to one that is named, and never to one that failed."""

import pytest

from deploy.app.plan.kept import Kept, choose
from deploy.errors import DeployError
from deploy.node.answer import read_answer
from tests.unit.deploy.examples import manifest


def kept(*releases: str, failed: str = "") -> tuple[Kept, ...]:
    return tuple(
        Kept(
            manifest=manifest(release=release),
            serves=False,
            failed=release == failed,
            bytes=0,
            image_bytes=0,
        )
        for release in releases
    )


def test_the_release_before_the_one_that_serves_is_chosen() -> None:
    assert choose(kept("r1", "r2", "r3"), "r3", "").release == "r2"
    assert choose(kept("r1", "r2", "r3"), "r2", "").release == "r1"


def test_a_failed_release_is_passed_over() -> None:
    assert choose(kept("r1", "r2", "r3", failed="r2"), "r3", "").release == "r1"


def test_any_kept_release_can_be_named() -> None:
    assert choose(kept("r1", "r2", "r3"), "r3", "r1").release == "r1"
    assert choose(kept("r1", "r2", "r3"), "r1", "r3").release == "r3"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("r2", "release r2 failed, and is never tried again by itself"),
        ("r3", "release r3 serves already"),
        ("r9", "release r9 is not on the node"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_with_what_can(wanted: str, says: str) -> None:
    with pytest.raises(DeployError) as caught:
        choose(kept("r1", "r2", "r3", failed="r2"), "r3", wanted)

    assert caught.value.message == says
    assert caught.value.hint == "the releases to go back to are: r1"


def test_a_first_release_has_none_before_it() -> None:
    with pytest.raises(DeployError, match="no release before r1"):
        choose(kept("r1"), "r1", "")


def test_an_answer_that_cannot_be_read_is_told() -> None:
    assert read_answer(tuple[Kept, ...], "[]", "the releases") == ()
    with pytest.raises(DeployError, match="cannot be read"):
        read_answer(tuple[Kept, ...], '[{"failed": false}]', "the releases")
