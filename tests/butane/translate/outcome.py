"""What a translator made of a config, in a form that two translators can be compared by."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from butane.translate.data_url import inflate, unpack
from butane.translate.translation import Translation, translate
from tests.root import ROOT

ORACLE = ROOT / ".cache" / "oracle" / "butane"
NEAR_BYTES = 32
_INFLATED_LIMIT = 64 * 1024 * 1024
_ENTRY = re.compile(
    r"(?P<kind>error|warning|info)"
    r"(?: at (?P<path>\$.*?)(?:, line (?P<line>\d+) col (?P<column>\d+))?"
    r"| at line (?P<rootline>\d+) col (?P<rootcolumn>\d+))?: (?P<message>.*)"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The Ignition JSON or None, and the reports as kind, path, line and column."""

    ignition: str | None
    reports: tuple[tuple[str, str, int, int], ...]
    said: str = ""


def real(text: str, files: Path | None) -> Outcome:
    """Ask the real tool."""
    command = [str(ORACLE), "--raw-errors", *(["--files-dir", str(files)] if files else [])]
    source = text.encode("utf-8", "surrogateescape")
    done = subprocess.run(command, input=source, capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace")
    reports = [_report(match) for match in map(_ENTRY.fullmatch, said.split("\n")) if match]
    made = done.stdout.decode("utf-8") if done.returncode == 0 else None
    return Outcome(made, tuple(sorted(reports)), said)


def ours(text: str, files: Path | None) -> Outcome:
    """Ask this project's translator."""
    return outcome_of(translate(text, files=files))


def outcome_of(done: Translation) -> Outcome:
    """Bring a translation into the common form; what stands for no place in a file is left out."""
    reports = sorted((x.kind, x.path, x.line, x.column) for x in done.reports if x.path)
    said = "\n".join(map(str, done.reports))
    return Outcome(done.ignition, tuple(reports), f"{said}\n{done.failure}")


def _report(match: re.Match[str]) -> tuple[str, str, int, int]:
    line = match["line"] or match["rootline"] or 0
    column = match["column"] or match["rootcolumn"] or 0
    return match["kind"], match["path"] or "$", int(line), int(column)


def verdict(theirs: Outcome, mine: Outcome) -> str:
    """Say how two outcomes compare: equal, different, refused alike or refused differently."""
    if theirs.ignition is None and mine.ignition is None:
        return "refused alike" if theirs.reports == mine.reports else "refused differently"
    if theirs.ignition is None or mine.ignition is None:
        return "refused differently"
    same = same_machine(json.loads(theirs.ignition), json.loads(mine.ignition))
    return "equal" if same and theirs.reports == mine.reports else "different"


def same_machine(theirs: Any, mine: Any) -> bool:
    """Compare two configs, data URLs by what they carry and how they had to be encoded."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        if _carries(theirs) and _carries(mine) and theirs != mine:
            return _same_contents(theirs, mine)
        return list(theirs) == list(mine) and all(same_machine(theirs[k], mine[k]) for k in theirs)
    if isinstance(theirs, list) and isinstance(mine, list):
        pairs = zip(theirs, mine, strict=False)
        return len(theirs) == len(mine) and all(same_machine(a, b) for a, b in pairs)
    return bool(theirs == mine and type(theirs) is type(mine))


def _carries(resource: dict[str, Any]) -> bool:
    return str(resource.get("source", "")).startswith("data:")


def _same_contents(theirs: dict[str, Any], mine: dict[str, Any]) -> bool:
    others = [{k: v for k, v in x.items() if k not in _ENCODING} for x in (theirs, mine)]
    if others[0] != others[1] or _decoded(theirs) != _decoded(mine):
        return False
    if theirs.get("compression") == mine.get("compression"):
        return bool(theirs.get("compression"))
    return abs(len(theirs["source"]) - len(mine["source"])) <= NEAR_BYTES + len("gzip")


_ENCODING = ("source", "compression")


def _decoded(resource: dict[str, Any]) -> bytes | None:
    data = unpack(resource["source"])
    if data is None or not resource.get("compression"):
        return data
    return inflate(data, _INFLATED_LIMIT) or data
