"""Times as systemd writes them (1min 30s) and as podman does (1m30s), in seconds."""

import re

_PART = re.compile(r"(\d++(?:\.\d++)?+)\s*+([A-Za-zµμ]*+)")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*+)++")
_UNITS = {
    "us": 1e-6, "usec": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "msec": 1e-3,
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800, "weeks": 604800,
    "M": 2629800, "month": 2629800, "months": 2629800,
    "y": 31557600, "year": 31557600, "years": 31557600,
}  # fmt: skip


def seconds(text: str) -> float | None:
    """Read a time in seconds, `infinity` included; None for any other text."""
    if text == "infinity":
        return float("inf")
    if not _WHOLE.fullmatch(text):
        return None
    parts = [(float(number), _UNITS.get(unit)) for number, unit in _PART.findall(text)]
    if any(unit is None for _, unit in parts):
        return None
    return sum(number * unit for number, unit in parts if unit is not None)
