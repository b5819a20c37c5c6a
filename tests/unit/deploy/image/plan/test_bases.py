"""Which layers travel, and which layer of the node each is compared with."""

from dataclasses import replace

from deploy.image.plan.bases import Base, KnownLayers, plan_transfer, unclear_layers
from deploy.image.plan.image import Image, missing, missing_bytes
from deploy.image.plan.sending import Rates
from deploy.node.state import NodeState
from tests.unit.deploy.examples import state


def named(letter: str) -> str:
    return "sha256:" + letter * 64


def an_image(letters: str, lines: tuple[str, ...] = ()) -> Image:
    layers = tuple(named(letter) for letter in letters)
    return Image("x", named("0"), 1000, layers, lines)


def base(letter: str, image: str, on_node: NodeState) -> Base:
    return Base(named(letter), named(image), on_node.layers[named(image)])


def test_only_layers_that_no_image_of_the_node_holds_are_missing() -> None:
    held = state(layers={named("1"): (named("a"),), named("2"): (named("c"),)})

    assert missing(an_image("abcd"), held) == (named("b"), named("d"))


def test_a_layer_twice_in_an_image_is_missing_once() -> None:
    assert missing(an_image("aba"), state(layers={})) == (named("a"), named("b"))


def test_bytes_are_exact_where_sizes_are_known_and_at_the_most_where_not() -> None:
    held = state(layers={named("1"): (named("a"),)})
    known = replace(an_image("abc"), sizes={named("a"): 700, named("b"): 10})

    assert missing_bytes(known, held) == 300
    assert missing_bytes(replace(known, sizes={**known.sizes, named("c"): 20}), held) == 30


def test_the_layer_made_by_the_same_line_is_the_best_base() -> None:
    held = state(layers={named("1"): (named("a"), named("b"), named("c"))})
    lines = {named("a"): "FROM", named("b"): "pip", named("c"): "COPY"}

    found = plan_transfer(an_image("ad", ("FROM", "COPY")), held, KnownLayers(set(lines), lines))

    assert found.bases == {named("d"): base("c", "1", held)}


def test_only_layers_that_arrive_sooner_as_patches_keep_their_base() -> None:
    held = state(layers={named("1"): (named("a"), named("b"))})
    sizes = {named("a"): 10**9, named("c"): 10**9, named("b"): 1000, named("d"): 1000}
    found = plan_transfer(an_image("cd"), held, KnownLayers({named("a"), named("b")}))

    slow = found.with_quick_bases(Rates(link=1e6), sizes)
    fast = found.with_quick_bases(Rates(link=200e6), sizes)

    assert slow.bases == {named("c"): base("a", "1", held)}
    assert (fast.bases, fast.missing) == ({}, found.missing)


def test_the_layer_at_the_same_position_is_next_best() -> None:
    held = state(layers={named("1"): (named("a"), named("b"), named("c"))})
    here = {named(letter) for letter in "abc"}

    found = plan_transfer(an_image("aec"), held, KnownLayers(here))

    assert found.bases[named("e")].diff_id == named("b")


def test_of_equals_the_one_on_the_same_layers_is_taken() -> None:
    held = state(
        layers={named("1"): (named("f"), named("b")), named("2"): (named("a"), named("c"))}
    )
    here = {named(letter) for letter in "abcf"}

    found = plan_transfer(an_image("ae"), held, KnownLayers(here))

    assert found.bases[named("e")] == base("c", "2", held)


def test_a_layer_that_is_not_here_as_well_is_no_base() -> None:
    held = state(layers={named("1"): (named("a"), named("b"))})

    assert not plan_transfer(an_image("ae"), held, KnownLayers({named("a")})).bases


def test_the_layer_that_shares_most_files_is_the_base_wherever_it_stands() -> None:
    held = state(layers={named("1"): (named("a"), named("b")), named("2"): (named("c"),)})
    files = {
        named("d"): {"x": 900, "y": 100},
        named("a"): {"y": 100},
        named("b"): {"x": 900, "z": 5},
        named("c"): {},
    }

    found = plan_transfer(
        an_image("d"), held, KnownLayers({named(one) for one in "abc"}, files=files)
    )

    assert found.bases == {named("d"): base("b", "1", held)}


def test_files_are_asked_for_only_where_line_and_position_leave_a_doubt() -> None:
    held = state(layers={named("1"): (named("a"), named("b"))})
    lines = {named("a"): "FROM", named("b"): "COPY"}
    here = set(lines)

    assert unclear_layers(an_image("ac", ("FROM", "COPY")), held, KnownLayers(here, lines)) == ()
    assert unclear_layers(an_image("ac", ("FROM", "ADD")), held, KnownLayers(here, lines)) == (
        named("c"),
        named("a"),
        named("b"),
    )
    assert unclear_layers(an_image("ac"), held, KnownLayers(())) == ()
