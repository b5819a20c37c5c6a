"""The history joins kept and failed releases; a rollback goes to a good one of them."""

import pytest

from deploy.app.plan.history import KeptRelease, history, rollback_target
from deploy.errors import DeployError
from deploy.node.answer import read_answer
from deploy.node.journal import AuditLine
from tests.unit.deploy.examples import NOW, manifest

LINE = AuditLine(at=NOW, app="shop-www", what="prune", who="ann@desk", detail="2 images")


def kept(release: str, *, serves: bool = False) -> KeptRelease:
    found = manifest(release=release, at=NOW)
    return KeptRelease(manifest=found, serves=serves, failed=False, bytes=7, image_bytes=9)


def failed(release: str) -> AuditLine:
    return LINE.model_copy(
        update={"what": "deploy", "result": "failed", "release": release, "detail": "not healthy"}
    )


def releases(*names: str, failed: str = "") -> tuple[KeptRelease, ...]:
    return tuple(
        KeptRelease(
            manifest=manifest(release=release),
            serves=False,
            failed=release == failed,
            bytes=0,
            image_bytes=0,
        )
        for release in names
    )


def test_the_release_before_the_one_that_serves_is_chosen() -> None:
    assert rollback_target(releases("r1", "r2", "r3"), "r3", "").release == "r2"
    assert rollback_target(releases("r1", "r2", "r3"), "r2", "").release == "r1"


def test_a_failed_release_is_passed_over() -> None:
    assert rollback_target(releases("r1", "r2", "r3", failed="r2"), "r3", "").release == "r1"


def test_any_kept_release_can_be_named() -> None:
    assert rollback_target(releases("r1", "r2", "r3"), "r3", "r1").release == "r1"
    assert rollback_target(releases("r1", "r2", "r3"), "r1", "r3").release == "r3"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("r2", "release r2 failed, and cannot be rolled back to"),
        ("r3", "release r3 serves already"),
        ("r9", "release r9 is not on the node"),
    ],
)
def test_a_refusal_names_the_releases_to_roll_back_to(named: str, says: str) -> None:
    with pytest.raises(DeployError) as caught:
        rollback_target(releases("r1", "r2", "r3", failed="r2"), "r3", named)

    assert caught.value.message == says
    assert caught.value.hint == "releases to roll back to: r1"


def test_a_first_release_has_none_before_it() -> None:
    with pytest.raises(DeployError, match="no release before r1"):
        rollback_target(releases("r1"), "r1", "")


def test_an_answer_that_cannot_be_read_is_refused() -> None:
    assert read_answer(tuple[KeptRelease, ...], "[]", "the releases") == ()
    with pytest.raises(DeployError, match="cannot be read"):
        read_answer(tuple[KeptRelease, ...], '[{"failed": false}]', "the releases")


def test_the_history_joins_what_is_kept_with_what_failed_newest_first() -> None:
    found = history([kept("r1"), kept("r3", serves=True)], [LINE, failed("r2")])

    assert [(one.release, one.result, one.kept) for one in found] == [
        *(("r3", "serves", True), ("r2", "failed", False), ("r1", "proven", True))
    ]
    assert found[1].detail == "not healthy"
    assert (found[0].bytes, found[0].image_bytes) == (7, 9)


def test_a_failed_release_that_is_kept_is_marked() -> None:
    (one,) = history([kept("r2")], [failed("r2")])

    assert (one.result, one.kept, one.detail) == ("failed", True, "not healthy")


def test_a_proven_release_whose_certificate_could_not_be_changed_is_no_failed_one() -> None:
    once = kept("r2")
    manifest = once.manifest.model_copy(update={"health": "healthy"})
    proven = once.model_copy(update={"manifest": manifest})

    (one,) = history([proven], [failed("r2").model_copy(update={"what": "certificate"})])

    assert (one.result, one.detail) == ("proven", "")


def test_a_release_that_serves_is_never_called_failed() -> None:
    (one,) = history([kept("r2", serves=True)], [failed("r2")])

    assert one.result == "serves"
