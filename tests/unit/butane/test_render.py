"""Blanks are filled, and one without a value is an error naming file and line."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from butane.errors import ButaneError
from butane.render import Values, origin_lines, render_folder, render_text

VALUES: Values = {"APP": "shop", "PORT": ("80", "443"), "NONE": (), "A_1": "x", "ODD": "@APP@"}


def render(text: str) -> str:
    return render_text(text, VALUES, source="a.conf")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("plain\n", "plain\n"),
        ("name=@APP@", "name=shop"),
        ("@APP@-@APP@ @A_1@\n", "shop-shop x\n"),
        ("me@example.org @app@ @1A@ @@ @ A@\n", "me@example.org @app@ @1A@ @@ @ A@\n"),
        ("@@APP@@ is @APP@\n", "@APP@ is shop\n"),
        ("@@UNKNOWN@@\n", "@UNKNOWN@\n"),
        ("@ODD@\n", "@APP@\n"),
        ("a\n@NONE@ b\nc\n", "a\nc\n"),
        ("a\nport @PORT@ of @APP@\nb\n", "a\nport 80 of shop\nport 443 of shop\nb\n"),
        ("@PORT@:@PORT@\n", "80:80\n443:443\n"),
        ("@PORT@ @NONE@\n", ""),
        ("@APP@\r\n@PORT@\r\n", "shop\r\n80\r\n443\r\n"),
        ("last @PORT@", "last 80last 443"),
    ],
)
def test_blanks_are_filled(text: str, filled: str) -> None:
    assert render(text) == filled


def test_a_blank_without_a_value_is_reported_with_file_line_and_known_blanks() -> None:
    with pytest.raises(ButaneError) as caught:
        render("# @APP@\n@APQ@ and @PORT@\n\n@PROT@ @APQ@\n")

    assert caught.value.message.splitlines() == [
        "a.conf:2: the blank @APQ@ has no value",
        "a.conf:4: the blank @APQ@ has no value",
        "a.conf:4: the blank @PROT@ has no value",
    ]
    assert "the blanks are: APP, A_1, NONE, ODD, PORT" in caught.value.hint


@given(st.text(st.sampled_from("@AB_1 \n"), max_size=30))
@example("@@A@@B@A@")
def test_no_text_is_lost_or_made_up_beyond_its_blanks(text: str) -> None:
    values = dict.fromkeys((f"{a}{b}{c}" for a in "AB" for b in " AB_1" for c in " AB_1"), "")

    try:
        filled = render_text(text, values, source="x")
    except ButaneError:
        return
    assert len(filled) <= len(text)
    assert filled.count("\n") == text.count("\n")


def test_every_file_of_a_folder_is_rendered_under_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/a.conf").write_text("@APP@\n")
    (tmp_path / "b.bu").write_text("@A_1@ é\n", encoding="utf-8")
    (tmp_path / ".gitkeep").write_text("@NOTHING@")

    assert render_folder(tmp_path, VALUES) == {
        "b.bu": "x é\n".encode(),
        "deep/er/a.conf": b"shop\n",
    }


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert render_folder(tmp_path / "overlays", VALUES) == {}


def test_binary_files_are_taken_as_they_are(tmp_path: Path) -> None:
    content = b"\x89PNG\r\n\x1a\n@APP@ @NOTHING@\xff"
    (tmp_path / "logo.png").write_bytes(content)

    assert render_folder(tmp_path, VALUES) == {"logo.png": content}


def test_line_ends_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"@APP@\r\nx\x0c@APP@\n")

    assert render_folder(tmp_path, VALUES)["a"] == b"shop\r\nx\x0cshop\n"


def test_the_blanks_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("@X@\n")
    (tmp_path / "b").write_text("\n@Y@\n")

    with pytest.raises(ButaneError) as caught:
        render_folder(tmp_path, VALUES)
    assert caught.value.message.splitlines() == [
        f"{tmp_path / 'a'}:1: the blank @X@ has no value",
        f"{tmp_path / 'b'}:2: the blank @Y@ has no value",
    ]


def test_a_blank_in_a_files_name_repeats_the_file(tmp_path: Path) -> None:
    (tmp_path / "@SLOT@.conf").write_text("@SLOT@ has @SLOT_IP@ of @ALL@, not @SLOTS@\n")
    values: Values = {"SLOT": ("a", "b"), "SLOT_IP": ("1", "2"), "ALL": "9", "SLOTS": ("x",)}

    assert render_folder(tmp_path, values) == {
        "a.conf": b"a has 1 of 9, not x\n",
        "b.conf": b"b has 2 of 9, not x\n",
    }


def test_each_rendered_line_is_traced_to_the_line_of_its_template() -> None:
    values: Values = {"ONE": "a", "NONE": (), "MANY": ("x", "y")}
    text = "first\n@NONE@ gone\n@ONE@\n- @MANY@\nlast"

    assert render_text(text, values, source="t").splitlines() == [
        "first",
        "a",
        "- x",
        "- y",
        "last",
    ]
    assert origin_lines(text, values) == (1, 3, 4, 4, 5)
