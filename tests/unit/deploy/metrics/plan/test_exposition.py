"""What a node says is read as metrics, and written with the node's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.console.visible import visible
from deploy.errors import DeployError
from deploy.metrics.plan.exposition import Family, Sample, joined, read_metrics, written

TEXT = """# HELP corefab_x_bytes Size, as \\\\ in C.
# TYPE corefab_x_bytes gauge
corefab_x_bytes{app="a",path="\\\\ \\" \\n }"} 12
corefab_x_bytes{app="b",path=""} -1.5e-3
# TYPE corefab_y_seconds histogram
corefab_y_seconds_bucket{le="+Inf"} 2
corefab_y_seconds_count 2
undeclared_count NaN
# EOF
"""


def test_metrics_are_read_and_written_alike() -> None:
    families = read_metrics(TEXT)

    assert [one.name for one in families] == [
        "corefab_x_bytes", "corefab_y_seconds", "undeclared_count"
    ]  # fmt: skip
    assert families[0].help == "Size, as \\ in C."
    assert families[0].samples[0].labels == {"app": "a", "path": '\\ " \n }'}
    assert [one.value for one in families[0].samples] == ["12", "-1.5e-3"]
    assert len(families[1].samples) == 2
    assert written(families) == TEXT.replace(
        "undeclared", "# TYPE undeclared_count untyped\nundeclared"
    )


@given(st.dictionaries(st.sampled_from("abc"), st.text()), st.text())
def test_no_value_breaks_out_of_its_label(labels: dict[str, str], text: str) -> None:
    said = written([Family("x", "gauge", text, [Sample("x", labels, "1")])])

    (one,) = read_metrics(said)
    assert len(one.samples) == 1
    assert one.samples[0].labels.keys() == labels.keys()
    plain = {name: value for name, value in labels.items() if value.isprintable()}
    assert plain.items() <= one.samples[0].labels.items()
    assert visible(said) == said


def test_several_nodes_share_the_description_of_a_metric() -> None:
    one, other = read_metrics(TEXT), read_metrics('corefab_x_bytes{node="evil"} 3\n')

    said = joined({"a.example.org": one, 'b"': other})

    assert said.count("# TYPE corefab_x_bytes gauge") == 1
    lines = said.splitlines()
    at = lines.index('corefab_x_bytes{node="b\\""} 3')
    assert lines[at - 1] == 'corefab_x_bytes{app="b",path="",node="a.example.org"} -1.5e-3'
    assert lines[-1] == "# EOF"
    assert len([one for one in lines if 'node="a.example.org"' in one]) == 5


@pytest.mark.parametrize(
    "line",
    [
        "corefab_x", "corefab_x one", "corefab_x 1 2", "9x 1", 'x{a="b"', 'x{a="b} 1', "x{a} 1",
        'x{a="\\q"} 1', 'x{a="b"c="d"} 1', "x{,} 1", "<html>", "# EOF ", "#", "x 1\r",
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(DeployError, match="line 2 of the metrics"):
        read_metrics(f"x 1\n{line}\n")
