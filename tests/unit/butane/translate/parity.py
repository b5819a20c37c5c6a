"""`make parity`: ours against the real tool, live, with counts.

Compares the corpus, the configs in the documentation that comes with the real tool's source,
broken variations of both, and configs made at random from the schema table.
"""

import argparse
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.unit.butane.translate.cases import FILES, Case, read_cases
from tests.unit.butane.translate.generated import configs
from tests.unit.butane.translate.mutation import mutate
from tests.unit.butane.translate.outcome import ORACLE, ours, real, verdict

_GOOD = ("equal", "refused alike")
_WRONG = ("different", "refused differently")
_MARKED = re.compile(r"<!-- butane-config -->\n```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EMPTY = (
    "config.ign",
    "ca.pem",
    "example.conf",
    "example.service",
    "file",
    "file-epilogue",
    "local-file3",
)


def documented(files: Path) -> list[Case]:
    """Read the configs of the documentation, and make the local files that they name."""
    (files / "tree").mkdir()
    for name in _EMPTY:
        (files / name).touch()
    (files / "id_rsa.pub").write_text("ssh-rsa AAAA\n")
    (files / "id_ed25519.pub").write_text("ssh-ed25519 AAAA\n")
    (files / "ignition.ign").write_text('{"ignition": {"version": "3.5.0"}}\n')
    source = Path(ORACLE.with_suffix(".source").read_text().strip())
    pages = sorted((source / "docs").glob("*.md"))
    found = [(page.stem, text) for page in pages for text in _MARKED.findall(page.read_text())]
    return [Case("docs", name, text, files) for name, text in found if "variant: fcos" in text]


def broken(cases: list[Case], count: int, start: int) -> Iterator[Case]:
    """Break configs at random, the same ones for the same start."""
    chance = random.Random(start)  # noqa: S311 - the same mistakes every time, no secret
    for number in range(count):
        case = chance.choice(cases)
        yield Case("broken", f"{case.name}, {number}", mutate(case.text, chance), case.files)


class Tally:
    """Counts verdicts and shows what differs."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, case: Case) -> None:
        """Compare both tools on one config."""
        theirs, mine = real(case.text, case.files), ours(case.text, case.files)
        found = verdict(theirs, mine)
        self.counts.setdefault(case.topic, Counter())[found] += 1
        if found in _WRONG:
            self._show(
                case, found, f"{theirs.said}\n{theirs.ignition}", f"{mine.said}\n{mine.ignition}"
            )

    def _show(self, case: Case, found: str, theirs: str, mine: str) -> None:
        parts = (f"=== {case.topic}: {case.name}: {found}", case.text, f"--- real\n{theirs}")
        sys.stdout.write("\n".join((*parts, f"--- ours\n{mine}\n")))

    def table(self) -> str:
        """Write the counts, a line a topic."""
        columns = (*_GOOD, *_WRONG)
        lines = [f"{'':<12}" + "".join(f"{column:>21}" for column in columns)]
        for topic, counts in self.counts.items():
            lines.append(f"{topic:<12}" + "".join(f"{counts[column]:>21}" for column in columns))
        return "\n".join(lines) + "\n"

    def is_clean(self) -> bool:
        """Tell whether nothing differs."""
        return not any(counts[column] for counts in self.counts.values() for column in _WRONG)


def generate(tally: Tally, count: int, start: int) -> None:
    """Compare configs made from the schema table."""

    @seed(start)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(configs())
    def compare(text: str) -> None:
        tally.add(Case("generated", "", text, FILES))

    compare()


def main() -> int:
    """Run all comparisons; exit code 1 when anything differs."""
    parser = argparse.ArgumentParser(description="Compare with the real butane.")
    parser.add_argument("--broken", type=int, default=1500, help="how many broken variations")
    parser.add_argument("--generated", type=int, default=500, help="how many generated configs")
    parser.add_argument("--seed", type=int, default=1, help="where chance starts")
    options = parser.parse_args()
    if not ORACLE.exists():
        sys.exit("the real tool is missing: make oracle")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        cases = [*read_cases(), *documented(Path(folder))]
        for case in (*cases, *broken(cases, options.broken, options.seed)):
            tally.add(case)
    generate(tally, options.generated, options.seed)
    sys.stdout.write(tally.table())
    return 0 if tally.is_clean() else 1


if __name__ == "__main__":
    sys.exit(main())
