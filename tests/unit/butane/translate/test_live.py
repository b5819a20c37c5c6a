"""Live agreement with the real tool, which `make oracle` builds; `make parity` runs these."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.unit.butane.translate.cases import FILES, read_cases
from tests.unit.butane.translate.generated import configs
from tests.unit.butane.translate.outcome import ours, real, verdict
from tests.unit.butane.translate.parity import broken

GOOD = ("equal", "refused alike")

pytestmark = pytest.mark.parity


@given(configs())
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_config_made_from_the_schema_table_comes_out_alike(text: str) -> None:
    theirs, mine = real(text, FILES), ours(text, FILES)

    assert verdict(theirs, mine) in GOOD, f"{text}\n{theirs.said}\n{mine.said}"


def test_broken_variations_of_the_corpus_are_refused_alike() -> None:
    for case in broken(read_cases(), 200, start=3):
        theirs, mine = real(case.text, case.files), ours(case.text, case.files)

        assert verdict(theirs, mine) in GOOD, f"{case.text}\n{theirs.said}\n{mine.said}"
