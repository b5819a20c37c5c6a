"""Deciding how hard to compress, and whether a patch is quicker: rates in, choice out."""

from dataclasses import dataclass

# Levels of zstd: bytes a second of one core, and the share of its bytes that a layer keeps. Another
# machine than the one of this table differs by a factor, which is measured while sending.
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
LIGHT = 1
# The bytes are sent as they are.
PLAIN = 0
# What keeps more than this share of its bytes is not worth compressing.
_INCOMPRESSIBLE = 0.97
# Patches hardly differ in size from level to level, for the most of one is new data: the level of
# patches for links that carry more than so many bytes a second.
_PATCH_LEVELS = {10e6: 1, 1e6: 3, 0.0: 9}
# Starting to write out a base takes the node this long, however small the base is.
_START_SECONDS = 0.15
# Patches are unpacked there once the base is written out, at about this rate.
_UNPACKED = 250e6
# Of a layer with a base, about this share is new.
_NEW = 0.05
# Links that carry this much and more are busy with light pieces for a moment only.
_FAST = 10e6
# Less than this gain is not worth more work.
_WORTH = 0.97
# Reading, hashing, encrypting and whatever else runs here take the rest of the cores.
_FREE = 0.7
# The link may wait this share of the time that a piece takes on it.
_PATIENCE = 0.1


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured, or guessed as long as nothing was: bytes a second.

    `link` is the way to the node, `write_out` the node writing out a base, `patch` one core here
    making patches. `speed` is one core here compressing, as a factor to the table of levels.
    """

    link: float
    speed: float = 1.0
    patch: float = 90e6
    write_out: float = 200e6
    cores: int = 2


def is_fast(rates: Rates) -> bool:
    """Tell whether light pieces that are ready are sent sooner than better ones yet to be made."""
    return rates.link >= _FAST


def expected_seconds(level: int, length: int) -> float:
    """Count the seconds that compressing takes by the table, on one core."""
    return length / _LEVELS[level][0]


def level_for(rates: Rates, *, length: int, ahead: int, share: float = 0.0) -> int:
    """Choose the level for a piece of a layer: the quickest, while the link is kept busy.

    `ahead` is how many bytes of layers are compressed or being compressed and not yet sent; what
    they take on the link is the time that there is for this piece. `share` is what a sample of the
    piece keeps of its bytes.
    """
    if share > _INCOMPRESSIBLE:
        return PLAIN
    quickest = _quickest(rates)
    on_link = (ahead + _PATIENCE * length) * _LEVELS[LIGHT][1] / rates.link
    in_time = (
        level
        for level, (speed, _) in _LEVELS.items()
        if level <= quickest and length / (speed * rates.speed) <= on_link
    )
    return max(in_time, default=LIGHT)


def patch_level_for(rates: Rates) -> int:
    """Choose the level of patches by the link alone: harder work pays on slow ones."""
    return next(level for least, level in _PATCH_LEVELS.items() if rates.link > least)


def patch_is_quicker(rates: Rates, size: int, base_size: int) -> bool:
    """Tell whether a layer is there sooner as a patch against a base than compressed by itself."""
    making = max(base_size / rates.write_out, size / (rates.patch * rates.cores))
    new = _NEW * size * _LEVELS[LIGHT][1] / rates.link
    unpacking = size / _UNPACKED
    return _START_SECONDS + making + new + unpacking < _seconds(_quickest(rates), rates) * size


def _quickest(rates: Rates) -> int:
    """Choose the level that brings most bytes of a layer a second, the lightest of equals."""
    best = LIGHT
    for level in _LEVELS:
        if _seconds(level, rates) < _WORTH * _seconds(best, rates):
            best = level
    return best


def _seconds(level: int, rates: Rates) -> float:
    """Count the seconds for a byte of a layer: compressing and sending go on side by side."""
    speed, share = _LEVELS[level]
    return max(1 / (speed * rates.speed * rates.cores * _FREE), share / rates.link)
