"""Laws of merging two configs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from butane.translate.merge import Side, merge
from butane.translate.record import Path, Record, item_key
from butane.translate.schema import CONFIG, SYSTEMD, UNIT
from butane.translate.source_map import SourceMap

MINOR = 7
_NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


def _config(names: list[str], text: str) -> Record:
    units = [Record(UNIT, {"contents": f"{text} {name}", "name": name}) for name in names]
    return Record(CONFIG, {"systemd": Record(SYSTEMD, {"units": units})} if units else {})


def _units(config: Record) -> list[Record]:
    return config.record("systemd").records("units")


@given(_NAMES, _NAMES)
@settings(max_examples=100)
def test_the_parents_items_come_first_and_the_childs_values_win(
    ours: list[str], theirs: list[str]
) -> None:
    merged, _ = merge(
        Side(_config(ours, "parent"), SourceMap()),
        Side(_config(theirs, "child"), SourceMap()),
        MINOR,
    )

    names = [item_key(unit) for unit in _units(merged)]
    assert names == [*ours, *(name for name in theirs if name not in ours)]
    for unit in _units(merged):
        side = "child" if unit.text("name") in theirs else "parent"
        assert unit.text("contents") == f"{side} {unit.text('name')}"


@given(_NAMES)
@settings(max_examples=50)
def test_merging_with_nothing_changes_nothing(names: list[str]) -> None:
    config, nothing = _config(names, "x"), Record(CONFIG)

    for parent, child in ((config, nothing), (nothing, config)):
        merged, _ = merge(Side(parent, SourceMap()), Side(child, SourceMap()), MINOR)

        assert _units(merged) == _units(config)


def test_the_sources_follow_the_items_to_their_new_places() -> None:
    parent_sources = SourceMap()
    parent_sources.add_all(("sugar",), (), _config(["a"], "parent"))
    units: Path = ("systemd", "units")

    _, sources = merge(
        Side(_config(["a"], "parent"), parent_sources),
        Side(_config(["b"], "child"), SourceMap()),
        MINOR,
    )

    assert sources.find((*units, 0, "name")) == ("sugar",)
    assert sources.find((*units, 1, "name")) == (*units, 0, "name")
