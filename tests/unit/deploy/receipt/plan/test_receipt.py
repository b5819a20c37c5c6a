"""A receipt has one form, states a manifest, and is refused in any other form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deploy.errors import DeployError
from deploy.receipt.plan.receipt import (
    Receipt,
    canonical,
    differences,
    next_number,
    read_receipt,
    stated,
    write_receipt,
)
from tests.unit.deploy.examples import manifest

RECEIPT = Receipt(
    number=3,
    previous="a" * 64,
    what="deploy",
    node="web1",
    replaces="r1",
    copies="",
    manifest=stated(manifest()),
)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(),
    lambda inside: some.lists(inside) | some.dictionaries(some.text(), inside),
)


@given(JSON)
def test_canonical_json_reads_as_what_was_written_and_has_one_form(value: object) -> None:
    try:
        written = canonical(value)
    except UnicodeEncodeError:  # a lone surrogate, which JSON in UTF-8 does not have
        return

    assert json.loads(written) == value
    assert canonical(json.loads(written)) == written
    assert b"\n" not in written


def test_canonical_json_is_sorted_without_spaces_and_in_utf_8() -> None:
    assert canonical({"b": [1, "é\n\x1f\x7f"], "a": {}}) == (
        b'{"a":{},"b":[1,"\xc3\xa9\\n\\u001f\x7f"]}'
    )


def test_a_receipt_is_read_as_it_was_written() -> None:
    assert read_receipt(write_receipt(RECEIPT), "shop-www") == RECEIPT


@given(some.integers(0, len(write_receipt(RECEIPT)) - 1), some.integers(1, 255))
def test_a_changed_byte_makes_another_receipt_or_none(place: int, change: int) -> None:
    content = bytearray(write_receipt(RECEIPT))
    content[place] ^= change
    try:
        found = read_receipt(bytes(content), "shop-www")
    except DeployError:
        return

    assert found != RECEIPT or b'"schema_version"' not in content


@given(some.binary(max_size=300))
def test_anything_else_is_refused_in_one_message(content: bytes) -> None:
    with pytest.raises(DeployError, match="it cannot be read"):
        read_receipt(content, "shop-www")


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"number":' + b"9" * 100_000 + b"}"])
def test_what_would_exhaust_a_parser_is_refused(content: bytes) -> None:
    with pytest.raises(DeployError, match="it cannot be read"):
        read_receipt(content, "shop-www")


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(json.loads(write_receipt(RECEIPT))).encode(),
        write_receipt(RECEIPT) + b"\n",
        write_receipt(RECEIPT).replace(b'{"copies":"",', b'{"copies":"","copies":"",', 1),
    ],
)
def test_another_form_of_the_same_receipt_is_refused(written: bytes) -> None:
    with pytest.raises(DeployError, match="not canonical"):
        read_receipt(written, "shop-www")


def test_a_receipt_of_another_app_is_refused() -> None:
    with pytest.raises(DeployError, match="of shop-www, not of shop-staging"):
        read_receipt(write_receipt(RECEIPT), "shop-staging")


def test_a_receipt_of_a_newer_corefab_says_so() -> None:
    newer = write_receipt(RECEIPT).replace(b'"schema_version":1', b'"schema_version":2')

    with pytest.raises(DeployError, match="receipt of schema version 2"):
        read_receipt(newer, "shop-www")


def test_a_receipt_grows_with_no_file_of_the_project() -> None:
    many = manifest(files={f"page-{number}.html": "a" * 64 for number in range(10_000)})

    assert len(canonical(stated(many).model_dump(mode="json"))) < 2000
    assert stated(many).files != stated(manifest()).files


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"image_id": "sha256:" + "9" * 64}, ("image_id",)),
        ({"units": {"/etc/x": "1"}, "files": {}}, ("units", "files")),
        ({"by": "eve@there"}, ("by",)),
        ({"certificate": "e" * 64, "key": "", "generations": {"cert_pass": 2}}, ()),
        ({"seconds": {"stage": 1.0}, "health": "healthy"}, ()),
    ],
)
def test_a_kept_release_may_have_another_certificate_but_no_other_content(
    changes: dict[str, object], differing: tuple[str, ...]
) -> None:
    assert differences(manifest().model_copy(update=changes), RECEIPT) == differing


def test_numbers_end() -> None:
    assert next_number(None) == 1
    assert next_number(RECEIPT) == 4
    with pytest.raises(DeployError, match="highest number"):
        next_number(RECEIPT.model_copy(update={"number": 10**9 - 1}))
