"""Each piece of a delta is compared with the old files that its own files resemble."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.image.delta import Mark
from deploy.image.delta_pieces import ByFile
from deploy.image.pieces import PIECE

MIB = 1 << 20
SIZES = st.lists(
    st.tuples(st.integers(1, 40 * MIB), st.integers(0, 40 * MIB)), min_size=1, max_size=5
)


class Zeros:
    """So many bytes, of which none is ever read."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        raise AssertionError(part)


def marks(sizes: list[tuple[int, int]]) -> tuple[list[Mark], int, int]:
    found, at, old = [], 512, 0
    for size, old_size in sizes:
        found.append(Mark(at, size, old, old_size))
        at, old = at + size + 512, old + old_size
    return found, at, old


@given(SIZES, st.floats(0, 1))
def test_pieces_cover_a_delta_from_wherever_it_was_cut_off(
    sizes: list[tuple[int, int]], share: float
) -> None:
    found, length, old = marks(sizes)
    at = int(length * share)

    pieces = list(ByFile(found)(Zeros(length), Zeros(old), at=at))

    assert [one.at for one in pieces] == list(range(at, length, PIECE))
    assert sum(one.length for one in pieces) == length - at
    for piece in pieces:
        assert 0 <= piece.start <= piece.start + piece.count <= old
        assert piece.count <= 2 * PIECE
        assert (piece.kind == "patch") == (piece.count > 0)


def test_a_small_file_is_compared_with_all_of_the_one_before() -> None:
    found, length, old = marks([(MIB, MIB), (100, 100)])

    (piece,) = ByFile(found)(Zeros(length), Zeros(old))

    assert (piece.kind, piece.start, piece.count) == ("patch", 0, old)


def test_what_is_like_nothing_does_not_shift_what_follows() -> None:
    found, length, old = marks([(64 * MIB, 0), (MIB, MIB)])

    pieces = list(ByFile(found)(Zeros(length), Zeros(old)))

    assert [one.kind for one in pieces] == ["plain"] * 4 + ["patch"]
    assert (pieces[-1].start, pieces[-1].count) == (0, MIB)
