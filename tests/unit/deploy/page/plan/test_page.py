"""A status page is believed only if the node's key has signed it, and never fills the memory."""

import gzip
import json

import pytest

from deploy.errors import DeployError
from deploy.page.plan.page import Page, read_page
from tests.unit.deploy.page.pages import AT, PLAIN, holder, packed

NODE = holder("node")


def test_a_page_that_the_node_has_signed_is_read() -> None:
    found = read_page(NODE.sign(packed(answers={"probe shop-www": "{}"})), NODE.certificate)

    assert (found.at, found.answers) == (AT, {"probe shop-www": "{}"})


@pytest.mark.parametrize("place", [0, 100, 350, -1])
def test_an_altered_page_is_refused(place: int) -> None:
    altered = bytearray(NODE.sign(packed()))
    altered[place] ^= 1

    with pytest.raises(DeployError, match="is not signed by the key that is pinned"):
        read_page(bytes(altered), NODE.certificate)


@pytest.mark.parametrize(
    "signed",
    [
        holder("stranger").sign(packed()),
        packed(),
        b"",
        b"\n" + packed(),
        b"A" * 10**6 + b"\n" + packed(),
        b"\xff\xfe\n" + packed(),
    ],
    ids=["a stranger's", "unsigned", "empty", "no signature", "a long one", "no text"],
)
def test_a_page_that_another_or_no_key_has_signed_is_refused(signed: bytes) -> None:
    with pytest.raises(DeployError, match="is not signed by the key that is pinned"):
        read_page(signed, NODE.certificate)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b" " * (17 << 20)),
        packed()[:-9],
        b"no gzip",
        gzip.compress(b"\xff"),
    ],
    ids=["large", "cut off", "no gzip", "no text"],
)
def test_what_does_not_unpack_within_bounds_is_refused(content: bytes) -> None:
    with pytest.raises(DeployError, match="cannot be unpacked to at most"):
        read_page(NODE.sign(content), NODE.certificate)


@pytest.mark.parametrize(
    "change",
    [
        {"at": "now"},
        {"every_seconds": 0},
        {"every_seconds": 10**9},
        {"answers": []},
        {"answers": {"probe shop-www": {}}},
        {"memory_available_bytes": -1},
        {"schema_version": 2},
    ],
)
def test_a_page_of_another_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DeployError):
        read_page(NODE.sign(packed(**change)), NODE.certificate)


@pytest.mark.parametrize(
    ("age", "trouble"),
    [
        (0, ""),
        (600, ""),
        (-300, ""),
        (601, "10 minutes old, and it makes one every 5 minutes"),
        (10**6, "11 days old"),
        (-301, "5 minutes ahead"),
    ],
)
def test_a_page_older_than_two_periods_or_of_the_future_is_trouble(age: int, trouble: str) -> None:
    found = Page.model_validate_json(json.dumps(PLAIN)).trouble(AT + age)

    assert bool(found) == bool(trouble)
    assert trouble in found
