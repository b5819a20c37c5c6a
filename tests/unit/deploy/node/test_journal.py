"""A line of the journal of changes is written and read again."""

import json

from deploy.node.journal import AuditLine, read_audit
from tests.unit.deploy.examples import NOW

LINE = AuditLine(at=NOW, app="shop-www", what="prune", who="ann@desk", detail="2 images")
OLD = (
    '{"at": "2030-06-15T12:00:00+00:00", "app": "shop-www", "release": "r1", "previous": "",'
    ' "image": "sha256:1", "by": "ann@desk", "commit": "", "dirty": false}'
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


def test_a_line_may_hold_what_unicode_calls_a_lines_end() -> None:
    line = LINE.model_copy(update={"detail": "a\u0085b\u2028c\u2029d"})
    # As jq writes it on the node.
    text = json.dumps(json.loads(line.to_json()), ensure_ascii=False)
    assert "\u2028" in text

    assert list(read_audit(f"{text}\n")) == [line]
