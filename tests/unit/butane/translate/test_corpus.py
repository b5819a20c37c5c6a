import pytest

from tests.unit.butane.translate.cases import Case, read_cases
from tests.unit.butane.translate.goldens import read_goldens
from tests.unit.butane.translate.outcome import ours, verdict

CASES = read_cases()
GOLDENS = read_goldens()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.topic}: {case.name}")
def test_a_config_of_the_corpus_comes_out_as_the_real_tool_has_it(case: Case) -> None:
    golden = GOLDENS[case.topic, case.name]

    outcome = ours(case.text, case.files)

    assert verdict(golden, outcome) in ("equal", "refused alike"), outcome.said


def test_every_golden_belongs_to_a_config() -> None:
    assert set(GOLDENS) == {(case.topic, case.name) for case in CASES}


def test_the_corpus_is_broad() -> None:
    made = [golden for golden in GOLDENS.values() if golden.ignition is not None]

    assert len(CASES) >= 150
    assert len(made) >= 100
    assert len(GOLDENS) - len(made) >= 100
