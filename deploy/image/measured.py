"""What earlier transfers measured, kept beside the cache of layers."""

import contextlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import Rates
from deploy.image.wire.level import CORES

_NODES_KEPT = 100
# A rate beyond these is a mistake of measuring.
_LEAST, _MOST = 1e3, 1e11


@dataclass(frozen=True, slots=True)
class Measured:
    """The rates of one node and of this machine."""

    cache: Cache
    node: str

    def rates(self) -> Rates:
        """Read what is known; the link is 0 where nothing was sent to the node yet."""
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

    def keep(self, rates: Rates) -> None:
        """Write what was measured; a disk that is full keeps the transfer from nothing."""
        nodes = _part(self._read(), "nodes")
        nodes.pop(self.node, None)
        nodes[self.node] = {"link": rates.link, "write_out": rates.write_out}
        kept = dict(list(nodes.items())[-_NODES_KEPT:])
        here = {"patch": rates.patch, "speed": rates.speed}
        with contextlib.suppress(OSError), self.cache.workplace() as place:
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


def _rate(found: object, usual: float) -> float:
    """Take a rate as it was kept, unless it is none."""
    return found if isinstance(found, float) and _LEAST < found < _MOST else usual


def _factor(found: object, usual: float) -> float:
    if not isinstance(found, float) or not math.isfinite(found):
        return usual
    return min(10.0, max(0.1, found))
