"""Store measured rates between transfers, beside the layer cache."""

import contextlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import Rates
from deploy.image.wire.rate_meter import CORES

_MAX_NODES = 100
# Rates outside this range are measuring errors.
_LEAST, _MOST = 1e3, 1e11


@dataclass(frozen=True, slots=True)
class RateStore:
    """The stored rates of one node and of this workstation."""

    cache: Cache
    node: str

    def load(self) -> Rates:
        """Read the stored rates; the link is 0 when nothing was sent to this node yet."""
        found = self._read()
        here, there = _part(found, "here"), _part(_part(found, "nodes"), self.node)
        known = Rates(0.0, cores=CORES)
        return replace(
            known,
            link=_rate(there.get("link"), 0.0),
            write_out=_rate(there.get("write_out"), known.write_out),
            patch=_rate(here.get("patch"), known.patch),
            speed=_factor(here.get("speed"), known.speed),
        )

    def store(self, rates: Rates) -> None:
        """Store measured rates; ignore write errors, since a transfer works without them."""
        nodes = _part(self._read(), "nodes")
        nodes.pop(self.node, None)
        nodes[self.node] = {"link": rates.link, "write_out": rates.write_out}
        kept = dict(list(nodes.items())[-_MAX_NODES:])
        here = {"patch": rates.patch, "speed": rates.speed}
        with contextlib.suppress(OSError), self.cache.temporary_folder() as place:
            (place / "measured").write_text(json.dumps({"here": here, "nodes": kept}))
            (place / "measured").replace(self._file)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def _file(self) -> Path:
        return self.cache.folder / "measured.json"


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _rate(found: object, default: float) -> float:
    """Return a stored rate, or the default when it is not plausible."""
    return found if isinstance(found, float) and _LEAST < found < _MOST else default


def _factor(found: object, default: float) -> float:
    if not isinstance(found, float) or not math.isfinite(found):
        return default
    return min(10.0, max(0.1, found))
