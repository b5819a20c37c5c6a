"""The files that an Ignition config carries are decoded to what a node will hold."""

import base64
import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from butane.errors import ButaneError
from butane.files import CarriedFile, carried_files


def config(**contents: str) -> str:
    return json.dumps({"storage": {"files": [{"path": "/a", "contents": contents}]}})


def only(ignition: str) -> CarriedFile:
    (file,) = carried_files(ignition)
    return file


@given(st.binary())
def test_every_way_to_write_content_gives_it_back(content: bytes) -> None:
    plain = f"data:,{quote(content, safe='')}"
    coded = f"data:;base64,{base64.b64encode(content).decode()}"
    squeezed = f"data:;base64,{base64.b64encode(gzip.compress(content)).decode()}"

    assert only(config(source=plain)).content == content
    assert only(config(source=coded, compression="")).content == content
    assert only(config(source=squeezed, compression="gzip")).content == content


def test_a_media_type_changes_nothing() -> None:
    assert (
        only(config(source="data:text/plain;charset=utf-8,a%20b%C3%A9")).content == "a bé".encode()
    )
    assert only(config(source="data:text/plain;base64,YQ==")).content == b"a"


def test_a_file_without_content_is_empty_and_has_the_usual_mode() -> None:
    assert only('{"storage":{"files":[{"path":"/a"}]}}') == CarriedFile("/a", b"", 0o644)


def test_path_and_mode_are_kept_in_order() -> None:
    files = [{"path": "/b", "mode": 0o600}, {"path": "/a", "mode": 0o755}]

    found = carried_files(json.dumps({"storage": {"files": files}}))
    assert [(file.path, file.mode) for file in found] == [("/b", 0o600), ("/a", 0o755)]


def test_a_config_without_files_carries_none() -> None:
    assert carried_files('{"ignition": {"version": "3.3.0"}}') == ()


def test_a_file_that_is_fetched_is_refused_with_its_path_and_source() -> None:
    with pytest.raises(ButaneError, match=r"/a is downloaded from https://example\.org/x"):
        carried_files(config(source="https://example.org/x"))


def test_content_is_not_shown() -> None:
    assert "hunter2" not in repr(only(config(source="data:,hunter2")))


@pytest.mark.parametrize(
    "contents",
    [
        {"source": "data:;base64,*"},
        {"source": "data:,%zz"},
        {"source": "data:;base64,YQ==", "compression": "gzip"},
    ],
)
def test_a_file_whose_content_is_damaged_is_refused_with_its_path(contents: dict[str, str]) -> None:
    with pytest.raises(ButaneError, match="/a: its data URL cannot be decoded"):
        carried_files(config(**contents))
