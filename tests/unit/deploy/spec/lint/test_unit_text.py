"""Unit files as systemd reads them: repeated keys, continued lines, drop-ins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.spec.lint.unit import Unit, is_drop_in, is_unit, read_units
from deploy.spec.lint.unit_text import read_unit, seconds, words


def pairs(text: str) -> list[tuple[int, str]]:
    return [(one.line, f"[{one.section}] {one.text}") for one in read_unit(text, "x")[0]]


def unit(**files: str) -> Unit:
    """Read the first unit of some files; `__` in a name stands for a slash."""
    found, *_ = read_units({name.replace("__", "/"): text for name, text in files.items()})
    return found


def test_keys_repeat_and_sections_come_again() -> None:
    assert pairs("[A]\nk=1\n k = 2 \n[B]\nk=\n[A]\nk=3") == [
        (2, "[A] k=1"), (3, "[A] k=2"), (5, "[B] k="), (7, "[A] k=3"),
    ]  # fmt: skip


def test_a_backslash_continues_a_line_past_comments() -> None:
    assert pairs("[A]\nk=one \\\n# a note\n  two \\\n;another\n  three\nl=1") == [
        (2, "[A] k=one two three"), (7, "[A] l=1"),
    ]  # fmt: skip


def test_an_empty_line_ends_a_continued_one() -> None:
    assert pairs("[A]\nk=one \\\n\nl=1\nm=last \\") == [
        (2, "[A] k=one"), (4, "[A] l=1"), (5, "[A] m=last"),
    ]  # fmt: skip


def test_a_backslash_before_a_space_does_not_continue_the_line() -> None:
    assert pairs("[A]\nk=one \\ \nl=1") == [(2, "[A] k=one \\"), (3, "[A] l=1")]


def test_carriage_returns_and_equals_signs_are_accepted() -> None:
    assert pairs("[A]\r\nk=a=b\r\n") == [(2, "[A] k=a=b")]


def test_lines_that_are_not_settings_are_listed() -> None:
    _, strays = read_unit("k=1\n[A\n[B]\nnonsense\n# fine\n", "x")

    assert [(one.line, one.found) for one in strays] == [(1, "k=1"), (2, "[A"), (4, "nonsense")]


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    settings, strays = read_unit(text, "x")

    lines = text.replace("\r\n", "\n").count("\n") + 1
    found = [one.line for one in settings] + [one.line for one in strays]
    assert all(1 <= line <= lines for line in found)


def test_drop_ins_are_applied_in_the_order_of_names_and_the_most_specific_folder_wins() -> None:
    found = unit(
        **{
            "etc__a-b.container": "[Container]\nX=file\nL=1\nL=2\n",
            "etc__container.d__20.conf": "[Container]\nX=far\n",
            "etc__a-.container.d__20.conf": "[Container]\nX=near\n",
            "etc__a-b.container.d__10.conf": "[Container]\nX=first\nL=\nL=3\n",
            "etc__other.container.d__30.conf": "[Container]\nX=other\n",
            "sys__a-b.service.d__10.conf": "[Service]\nWatchdogSec=5\n",
        }
    )

    assert found.word("Container", "X") == "near"
    assert [one.value for one in found.all("Container", "L")] == ["3"]
    assert found.seconds("Service", "WatchdogSec") == 5


def test_a_unit_knows_where_a_drop_in_changed_it() -> None:
    found = unit(**{"a.service": "[Service]\nX=1\n", "a.service.d__x.conf": "\n[Service]\nX=2\n"})

    last = found.last("Service", "X")

    assert last is not None
    assert (last.file, last.line) == ("a.service.d/x.conf", 3)


def test_variables_are_read_as_a_unit_quotes_them() -> None:
    found = unit(**{"a.container": '[Container]\nEnvironment="A=x y" B=1\nEnvironment=C=5%%\n'})

    values = {name: one.value for name, one in found.environment().items()}

    assert values == {"A": "x y", "B": "1", "C": "5%"}


@pytest.mark.parametrize(
    ("path", "unit_file", "drop_in"),
    [
        ("/a/b.container", True, False),
        ("/a/b.container.d/x.conf", False, True),
        ("/a/service.d/x.conf", False, True),
        ("/a/zincati/config.d/x.conf", False, False),
        ("/a/b.conf", False, False),
    ],
)
def test_units_and_drop_ins_are_recognised_by_their_paths(
    path: str, *, unit_file: bool, drop_in: bool
) -> None:
    assert (is_unit(path), is_drop_in(path)) == (unit_file, drop_in)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60", 60), ("1min 30s", 90), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("1.5", 1.5),
        ("infinity", float("inf")), ("10 min", 600), ("", None), ("soon", None), ("5 ells", None),
    ],
)  # fmt: skip
def test_times_are_read_as_systemd_and_podman_write_them(text: str, value: float | None) -> None:
    assert seconds(text) == value


def test_a_long_text_that_is_no_time_is_refused_without_trying_every_way_to_split_it() -> None:
    assert seconds("1" * 100_000 + "!") is None


@pytest.mark.parametrize(
    ("value", "found"),
    [("it's one", ("it's", "one")), ("'a b' c", ("a b", "c")), ('"a', ('"a',)), ("", ())],
)
def test_an_unbalanced_quote_is_taken_literally(value: str, found: tuple[str, ...]) -> None:
    assert words(value) == found
