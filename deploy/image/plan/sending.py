"""Choose compression levels, and between patch and full layer, from measured rates."""

from dataclasses import dataclass

# Levels of zstd: bytes per second and core, and compressed size as a share of the layer. Other
# machines differ from this table by a factor, which is measured while sending.
_LEVELS = {
    1: (356e6, 0.387),
    3: (200e6, 0.349),
    5: (108e6, 0.337),
    7: (67e6, 0.322),
    9: (49e6, 0.314),
    12: (25e6, 0.310),
    15: (7e6, 0.304),
    17: (3.7e6, 0.289),
    19: (2.4e6, 0.276),
}
FASTEST = 1
# Not compressed.
PLAIN = 0
# Data that compresses to more than this share is sent uncompressed.
_INCOMPRESSIBLE = 0.97
# Levels for patches by least bytes per second of the link: higher levels make little difference,
# since most of a patch is new data.
_PATCH_LEVELS = {10e6: 1, 1e6: 3, 0.0: 9}
# The node takes this long to start exporting a base of any size.
_START_SECONDS = 0.15
# The node applies patches at about this rate, once the base is exported.
_UNPACKED = 250e6
# The share of a layer with a base that is assumed to be new.
_NEW = 0.05
# From this rate on, chunks compressed at level 1 in advance are worth sending.
_FAST = 10e6
# A higher level must be quicker than this share of the time.
_WORTH = 0.97
# The share of the cores for compression; reading, hashing and encryption take the rest.
_FREE = 0.7
# The link may be idle for this share of a chunk's transfer time.
_PATIENCE = 0.1


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured or estimated rates, in bytes per second.

    `link`: sending to the node. `write_out`: the node exporting a base. `patch`: one local core
    making patches. `speed`: one local core compressing, as a factor to the table of levels.
    """

    link: float
    speed: float = 1.0
    patch: float = 90e6
    write_out: float = 200e6
    cores: int = 2


def is_fast(rates: Rates) -> bool:
    """Return whether chunks compressed at level 1 in advance should be used."""
    return rates.link >= _FAST


def expected_seconds(level: int, length: int) -> float:
    """Return the seconds of compression on one core according to the table."""
    return length / _LEVELS[level][0]


def level_for(rates: Rates, *, length: int, ahead: int, share: float = 0.0) -> int:
    """Choose the level for a chunk: the quickest overall that keeps the link busy.

    `ahead` is the number of bytes before this chunk that are not sent yet; their transfer time is
    the time available for compressing this chunk. `share` is the compressed size of a sample of the
    chunk, as a share.
    """
    if share > _INCOMPRESSIBLE:
        return PLAIN
    quickest = _quickest(rates)
    on_link = (ahead + _PATIENCE * length) * _LEVELS[FASTEST][1] / rates.link
    in_time = (
        level
        for level, (speed, _) in _LEVELS.items()
        if level <= quickest and length / (speed * rates.speed) <= on_link
    )
    return max(in_time, default=FASTEST)


def patch_level_for(rates: Rates) -> int:
    """Choose the level for patches by the link's rate: higher levels pay on slow links."""
    return next(level for least, level in _PATCH_LEVELS.items() if rates.link > least)


def patch_is_quicker(rates: Rates, size: int, base_size: int) -> bool:
    """Return whether a patch against the base arrives sooner than the whole layer compressed."""
    making = max(base_size / rates.write_out, size / (rates.patch * rates.cores))
    new = _NEW * size * _LEVELS[FASTEST][1] / rates.link
    unpacking = size / _UNPACKED
    return _START_SECONDS + making + new + unpacking < _seconds(_quickest(rates), rates) * size


def _quickest(rates: Rates) -> int:
    """Choose the level with the highest overall rate; of similar ones the lowest."""
    best = FASTEST
    for level in _LEVELS:
        if _seconds(level, rates) < _WORTH * _seconds(best, rates):
            best = level
    return best


def _seconds(level: int, rates: Rates) -> float:
    """Return the seconds for a byte of a layer; compression and sending run in parallel."""
    speed, share = _LEVELS[level]
    return max(1 / (speed * rates.speed * rates.cores * _FREE), share / rates.link)
