"""Each receipt that is missing, changed or not in order is named, and nothing else is."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deploy.receipt.plan.chain import Place, Receipts, problems, to_copy, unsigned
from deploy.receipt.plan.receipt import stated
from tests.unit.deploy.receipt.plan.chains import NAMES, chain, changed, checked, kept, made

CHAIN = chain(*NAMES)
MISSING = r"receipts? (?P<first>\d+) (to (?P<last>\d+) )?(is|are) missing everywhere"
PLACES: tuple[Place, ...] = ("here", "on the node")


def test_a_whole_chain_on_both_sides_has_no_problem() -> None:
    assert list(problems(Receipts(CHAIN, CHAIN))) == []
    assert list(problems(Receipts(CHAIN, None))) == []


@given(some.sampled_from(NAMES), some.booleans())
def test_a_receipt_that_one_side_lacks_is_named_alone(name: str, here: bool) -> None:  # noqa: FBT001
    less = {one: CHAIN[one] for one in NAMES if one != name}
    number = NAMES.index(name) + 1
    receipts = Receipts(less, CHAIN) if here else Receipts(CHAIN, less)

    (problem,) = problems(receipts)

    assert problem == f"receipt {number} (release {name}) is missing {PLACES[not here]}"


@given(some.sets(some.integers(1, 7), min_size=1))
def test_receipts_that_are_gone_everywhere_are_named_by_their_numbers(gone: set[int]) -> None:
    left = {name: one for name, one in CHAIN.items() if NAMES.index(name) + 1 not in gone}

    named = [
        range(int(words["first"]), int(words["last"] or words["first"]) + 1)
        for line in problems(Receipts(left, left))
        if (words := re.fullmatch(MISSING, line))
    ]

    assert {number for numbers in named for number in numbers} == gone


@given(some.sampled_from(NAMES))
def test_a_receipt_that_was_changed_on_the_node_is_named_alone(name: str) -> None:
    (problem,) = problems(Receipts(CHAIN, CHAIN | {name: changed(CHAIN[name])}))

    assert problem == f"the receipt of release {name} on the node: it was changed"


@given(some.sampled_from(NAMES))
def test_a_receipt_that_was_changed_everywhere_is_named_and_not_called_missing(name: str) -> None:
    broken = CHAIN | {name: changed(CHAIN[name])}

    found = list(problems(Receipts(broken, broken)))

    assert found == [f"the receipt of release {name} {place}: it was changed" for place in PLACES]


def test_a_receipt_that_follows_another_one_is_named() -> None:
    third = CHAIN[NAMES[2]].receipt
    assert third
    other = checked(third.model_copy(update={"previous": "0" * 64}))
    broken = chain(*NAMES[:2]) | {NAMES[2]: other}

    (problem,) = problems(Receipts(broken, None))

    assert problem == (
        f"receipt 3 (release {NAMES[2]}) does not follow receipt 2 (release {NAMES[1]}): it names "
        "another one"
    )


def test_a_first_receipt_that_names_one_before_is_named() -> None:
    first = CHAIN[NAMES[0]].receipt
    assert first
    broken = {NAMES[0]: checked(first.model_copy(update={"previous": "0" * 64}))}

    assert list(problems(Receipts(broken, None))) == [
        f"receipt 1 (release {NAMES[0]}) does not begin a chain: it names another one"
    ]


def test_two_deploys_that_followed_the_same_receipt_are_named() -> None:
    other = chain(NAMES[0], NAMES[2])

    assert list(problems(Receipts(chain(*NAMES[:2]) | other, None))) == [
        f"releases {NAMES[1]} and {NAMES[2]} have receipts with the same number, 2"
    ]


def test_two_versions_of_a_receipt_are_named_with_who_signed_each() -> None:
    last = CHAIN[NAMES[-1]].receipt
    assert last
    other = checked(last.model_copy(update={"what": "rollback"}), "eve")

    (problem,) = problems(Receipts(CHAIN, CHAIN | {NAMES[-1]: other}))

    assert problem == (
        f"receipt 8 (release {NAMES[-1]}) has two versions: here signed by ann, on the node signed "
        "by eve"
    )


def test_a_rollback_to_something_else_than_was_signed_is_named() -> None:
    first, second = chain(*NAMES[:2]).values()
    assert second.receipt
    evil = stated(made(NAMES[1], image_id="sha256:" + "e" * 64))
    back = second.receipt.model_copy(update={"copies": NAMES[0], "manifest": evil})

    found = list(problems(Receipts({NAMES[0]: first, NAMES[1]: checked(back)}, None)))

    assert found == [
        f"release {NAMES[1]} went back to {NAMES[0]}, and is not what the receipt of that states: "
        "image_id"
    ]


@pytest.mark.parametrize("place", PLACES)
def test_what_one_side_lacks_is_copied_from_the_other_if_it_is_valid(place: Place) -> None:
    less = {name: CHAIN[name] for name in NAMES[2:]} | {NAMES[4]: changed(CHAIN[NAMES[4]])}
    whole = CHAIN | {NAMES[0]: changed(CHAIN[NAMES[0]])}
    receipts = Receipts(less, whole) if place == "here" else Receipts(whole, less)

    assert [one.release for one in to_copy(receipts, place)] == [NAMES[1], NAMES[4]]


def test_releases_without_a_receipt_are_listed_by_why() -> None:
    receipts = Receipts({name: CHAIN[name] for name in NAMES[1:]}, {})
    by_node = made("20300701-120000-ab12").model_copy(update={"by": "the node"})
    releases = (
        kept(made(NAMES[0])),
        kept(made(NAMES[1])),
        kept(by_node),
        kept(made("20300702-120000-ab12"), serves=True),
        kept(made("20300703-120000-ab12"), failed=True),
        kept(made("20300704-120000-ab12"), unfinished=True),
    )

    old, own, bad = unsigned(releases, receipts, follows=True)

    assert old == (f"release {NAMES[0]} has no receipt: it is from before the first one", False)
    assert own == (
        "release 20300701-120000-ab12 has no receipt: the node took it from its registry by itself",
        False,
    )
    assert bad == (
        "release 20300702-120000-ab12, made by 20300702-120000-ab12@desk, has no receipt",
        True,
    )


def test_a_node_that_follows_no_tag_makes_no_release_by_itself() -> None:
    one = kept(made("20300701-120000-ab12").model_copy(update={"by": "the node"}))

    assert [bad for _, bad in unsigned((one,), Receipts(CHAIN, {}), follows=False)] == [True]


def test_a_release_that_is_not_what_its_receipt_states_is_named_one_with_a_broken_receipt_not() -> (
    None
):
    receipts = Receipts(CHAIN, CHAIN | {NAMES[1]: changed(CHAIN[NAMES[1]])})
    only_broken = replace(receipts, here={})
    evil = made(NAMES[1]).model_copy(update={"image_id": "sha256:" + "e" * 64})

    assert list(unsigned((kept(evil),), receipts, follows=True)) == [
        (f"release {NAMES[1]} of the node is not what its receipt states: image_id", True)
    ]
    assert list(unsigned((kept(evil),), only_broken, follows=True)) == []
