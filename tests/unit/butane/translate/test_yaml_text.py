"""A document that is written as text again means the same."""

import pytest

from butane.errors import ButaneError
from butane.translate.translation import translate
from butane.translate.yaml_node import read_document
from butane.translate.yaml_text import to_text
from tests.unit.butane.translate.cases import Case, read_cases


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: f"{case.topic}: {case.name}")
def test_a_config_of_the_corpus_means_the_same_after_it_was_written(case: Case) -> None:
    try:
        root = read_document(case.text)
    except ButaneError:
        return

    written = translate(to_text(root), files=case.files)

    assert written.ignition == translate(case.text, files=case.files).ignition
