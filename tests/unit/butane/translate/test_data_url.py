from hypothesis import given
from hypothesis import strategies as st

from butane.translate.data_url import inflate, pack, unpack

LIMIT = 1_000_000


@given(st.binary(max_size=2000))
def test_what_is_packed_comes_out_again(data: bytes) -> None:
    for url, compression in (pack(data), pack(data, may_compress=False)):
        carried = unpack(url)

        assert carried is not None
        assert (inflate(carried, LIMIT) if compression else carried) == data


@given(st.binary(max_size=300))
def test_packing_never_takes_more_than_base64(data: bytes) -> None:
    assert len(pack(data)[0]) <= len("data:;base64,") + 4 * -(-len(data) // 3)


def test_compression_is_used_only_where_it_is_allowed_and_pays() -> None:
    assert pack(b"a" * 1000)[1] == "gzip"
    assert pack(b"a" * 1000, may_compress=False)[1] == ""
    assert pack(b"short") == ("data:,short", "")


def test_gzip_stops_at_the_limit() -> None:
    packed = unpack(pack(b"a" * 5000)[0]) or b""

    assert inflate(packed, 4999) is None
    assert inflate(packed, 5000) == b"a" * 5000
    assert inflate(b"not gzip", LIMIT) is None
