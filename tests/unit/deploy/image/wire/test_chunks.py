"""A layer is cut_chunks so that its chunks, put together from its base, are the layer again."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.image.wire.chunks import CHUNK_BYTES, Chunk, common_head, common_tail, cut_chunks

BYTES = st.binary(max_size=400)
# Long enough to be copied, and alike in long runs, as layers are.
RUNS = st.lists(st.tuples(st.sampled_from(b"ab"), st.integers(0, 9000)), max_size=6).map(
    lambda runs: b"".join(bytes([letter]) * count for letter, count in runs)
)


def put_together(chunks: list[Chunk], new: bytes, base: bytes, at: int) -> bytes:
    """Do as a node does; what is sent compressed is taken from the layer itself."""
    made = new[:at]
    for chunk in chunks:
        assert chunk.at == len(made)
        if chunk.kind == "copy":
            made += base[chunk.start : chunk.start + chunk.count]
        else:
            made += new[chunk.at : chunk.at + chunk.length]
    return made


@given(RUNS, RUNS, st.floats(0, 1))
def test_the_pieces_of_any_layer_make_the_layer_from_wherever_it_was_cut_off(
    new: bytes, base: bytes, share: float
) -> None:
    at = int(len(new) * share)

    chunks = list(cut_chunks(new, base, at=at))

    assert put_together(chunks, new, base, at) == new
    assert all(0 <= one.start <= one.start + one.count <= len(base) for one in chunks)


@given(BYTES, BYTES, BYTES)
def test_heads_and_tails_are_as_long_as_they_can_be(same: bytes, one: bytes, other: bytes) -> None:
    first, second = same + b"x" + one, same + b"y" + other

    assert common_head(first, second) == len(same)
    before, after = one + b"x" + same, other + b"y" + same
    assert common_tail(before, after, limit=min(len(before), len(after))) == len(same)


def test_a_change_in_the_middle_sends_only_the_middle() -> None:
    base = b"a" * 100_000 + b"xyz" + b"b" * 100_000
    new = b"a" * 100_000 + b"12345" + b"b" * 100_000

    chunks = list(cut_chunks(new, base))

    assert [one.kind for one in chunks] == ["copy", "patch", "copy"]
    assert chunks[1].length == len("12345")


def test_without_a_base_every_piece_is_plain_and_none_is_larger_than_a_piece() -> None:
    chunks = list(cut_chunks(bytes(CHUNK_BYTES * 2 + 5), b""))

    assert [(one.kind, one.length) for one in chunks] == [
        ("plain", CHUNK_BYTES),
        ("plain", CHUNK_BYTES),
        ("plain", 5),
    ]


def test_an_empty_layer_has_no_pieces() -> None:
    assert list(cut_chunks(b"", b"")) == []
    assert list(cut_chunks(b"", b"base")) == []
