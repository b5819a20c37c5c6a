"""A line of the journal of changes is written and read again."""

import json

from deploy.app.plan.history import history
from deploy.app.plan.kept import Kept
from deploy.node.journal import AuditLine, read_audit
from tests.unit.deploy.examples import NOW, manifest

LINE = AuditLine(at=NOW, app="shop-www", what="prune", who="ann@desk", detail="2 images")
OLD = (
    '{"at": "2030-06-15T12:00:00+00:00", "app": "shop-www", "release": "r1", "previous": "",'
    ' "image": "sha256:1", "by": "ann@desk", "commit": "", "dirty": false}'
)


def kept(release: str, *, serves: bool = False) -> Kept:
    found = manifest(release=release, at=NOW)
    return Kept(manifest=found, serves=serves, failed=False, bytes=7, image_bytes=9)


def failed(release: str) -> AuditLine:
    return LINE.model_copy(
        update={"what": "deploy", "result": "failed", "release": release, "detail": "not healthy"}
    )


def test_a_line_leaves_address_and_login_to_the_node() -> None:
    assert json.loads(LINE.to_json()) == {
        "at": "2030-06-15T12:00:00+0000",
        "app": "shop-www",
        "what": "prune",
        "result": "ok",
        "who": "ann@desk",
        "detail": "2 images",
    }


def test_a_line_is_read_with_the_address_and_login_that_the_node_added() -> None:
    written = json.loads(LINE.to_json()) | {"from": "192.0.2.7", "login": "core"}

    (read,) = read_audit(json.dumps(written))
    assert (read.address, read.login) == ("192.0.2.7", "core")
    assert read.model_copy(update={"address": "", "login": ""}) == LINE


def test_lines_of_older_corefabs_are_read() -> None:
    (read,) = read_audit(OLD)

    assert (read.who, read.what, read.result, read.release) == ("ann@desk", "deploy", "ok", "r1")


def test_an_incomplete_line_is_skipped() -> None:
    text = f"{LINE.to_json()[:20]}\n[]\n\n{LINE.to_json()}\n"

    assert list(read_audit(text)) == [LINE]


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
    proven = once.model_copy(update={"manifest": once.manifest.proven({"start": 1.5})})

    (one,) = history([proven], [failed("r2").model_copy(update={"what": "certificate"})])

    assert (one.result, one.detail) == ("proven", "")


def test_a_release_that_serves_is_never_called_failed() -> None:
    (one,) = history([kept("r2", serves=True)], [failed("r2")])

    assert one.result == "serves"
