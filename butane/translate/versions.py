"""The versions of the fcos variant, and the Ignition version that each one becomes."""

import re
from dataclasses import dataclass

from butane.errors import ButaneError

LATEST_STABLE = "1.7.0"

IGNITION = {
    "1.0.0": "3.0.0",
    "1.1.0": "3.1.0",
    "1.2.0": "3.2.0",
    "1.3.0": "3.2.0",
    "1.4.0": "3.3.0",
    "1.5.0": "3.4.0",
    "1.6.0": "3.5.0",
    "1.7.0": "3.6.0",
    "1.8.0-experimental": "3.7.0-experimental",
}
VERSIONS = tuple(IGNITION)

_SEMVER = re.compile(
    r"(?P<core>\d+\.\d+\.\d+)"
    r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?"
    r"(?:\+(?P<meta>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?",
    re.ASCII,
)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its minor number, and the Ignition version it becomes."""

    minor: int
    ignition: str

    @property
    def ignition_minor(self) -> int:
        """The minor number of the Ignition version."""
        return int(self.ignition.split(".")[1])


def parse_semver(text: str) -> str | None:
    """Normalise a semantic version; None when it is not one."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    numbers = [int(number) for number in match["core"].split(".")]
    if max(numbers) > _LARGEST:
        return None
    core = ".".join(map(str, numbers))
    pre = f"-{match['pre']}" if match["pre"] else ""
    meta = f"+{match['meta']}" if match["meta"] else ""
    return core + pre + meta


def find_version(variant: str, text: str) -> Version:
    """Find the version that a file names; raise `ButaneError` when it is unknown."""
    if not variant:
        raise ButaneError("error parsing variant; must be specified", "write `variant: fcos`")
    plain = parse_semver(text)
    if plain is None:
        raise ButaneError(
            "error parsing version; must be a valid semver", f"write `version: {LATEST_STABLE}`"
        )
    if variant != "fcos" or plain not in IGNITION:
        raise ButaneError(
            f"No translator exists for variant {variant} with version {plain}",
            f"this translator knows variant fcos with version {', '.join(VERSIONS)}",
        )
    return Version(int(plain.split(".")[1]), IGNITION[plain])
