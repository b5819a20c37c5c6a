"""The real tool's answers to the corpus, kept beside it.

`python -m tests.butane.translate.goldens` writes them again; it needs `make oracle`.
"""

import json
import sys
from itertools import groupby
from pathlib import Path

from tests.unit.butane.translate.cases import CORPUS, Case, read_cases
from tests.unit.butane.translate.outcome import ORACLE, Outcome, real

_FOLDER = CORPUS / "goldens"


def read_goldens() -> dict[tuple[str, str], Outcome]:
    """Read all answers, by topic and name."""
    return {
        (path.stem, name): Outcome(answer["ignition"], tuple(map(_report, answer["reports"])))
        for path in sorted(_FOLDER.glob("*.json"))
        for name, answer in json.loads(path.read_text()).items()
    }


def _report(parts: list[str | int]) -> tuple[str, str, int, int]:
    kind, path, line, column = parts
    return str(kind), str(path), int(line), int(column)


def write_goldens() -> None:
    """Ask the real tool about every case and keep what it says."""
    _FOLDER.mkdir(exist_ok=True)
    for topic, cases in groupby(read_cases(), key=lambda case: case.topic):
        lines = [_line(case) for case in cases]
        (_FOLDER / f"{topic}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _line(case: Case) -> str:
    answer = real(case.text, case.files)
    kept = {"ignition": answer.ignition, "reports": answer.reports}
    return f"{json.dumps(case.name)}: {json.dumps(kept)}"


if __name__ == "__main__":
    if not Path(ORACLE).exists():
        sys.exit("the real tool is missing: make oracle")
    write_goldens()
