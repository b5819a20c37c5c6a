"""The page in a browser: readable in light, dark and on a phone, accessible, and without effect."""

import re
from pathlib import Path

import pytest

from tests.system.browser import Browser, browser
from tests.unit.deploy.console.test_hostile_text import HOSTILE
from tests.unit.deploy.overview import fleets

pytestmark = [pytest.mark.program, pytest.mark.slow]
_SCRIPT = (
    "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    "</td></style></title><svg onload=document.title='run'>"
)


@pytest.fixture
def chromium(tmp_path: Path) -> Browser:
    return browser(tmp_path)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "fleet.html"
    file.write_text(fleets.written(fleets.fleet()), encoding="utf-8")
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_has_no_violations_of_accessibility_in_any_scheme_and_width(
    chromium: Browser, page: Path, width: int, scheme: str
) -> None:
    found = chromium.axe(page, width=width, dark=scheme == "dark")

    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    # That colours were looked at shows that it was not an empty page.
    assert "color-contrast" in {one["id"] for one in found["passes"]}


def test_axe_finds_what_is_wrong(chromium: Browser, page: Path) -> None:
    page.write_text(page.read_text().replace("--faint: #545c66", "--faint: #eeeeee"))

    found = chromium.axe(page, width=1280, dark=False)

    assert "color-contrast" in {one["id"] for one in found["violations"]}


@pytest.mark.parametrize("text", [_SCRIPT, HOSTILE + _SCRIPT], ids=["markup", "controls"])
def test_hostile_text_is_shown_and_does_nothing_even_without_the_policy(
    chromium: Browser, page: Path, text: str
) -> None:
    written = fleets.written(fleets.hostile(text))
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    page.write_text(policy.sub("", written), encoding="utf-8")

    dom = chromium.dom(page)

    assert "<title>corefab: 3 nodes, 3 apps</title>" in dom
    assert not re.search(
        r"<(script|img|iframe|link|object)\b|\son\w+=\"[^\"]*\" *[^<]*>", _tags(dom)
    )
    # The control: the same text as markup is run.
    page.write_text(f"<!doctype html><title>x</title><body>{_SCRIPT}</body>", encoding="utf-8")
    assert "<title>run</title>" in chromium.dom(page)


def test_pictures_are_of_different_schemes_and_nothing_is_refused_by_the_policy(
    chromium: Browser, page: Path, tmp_path: Path
) -> None:
    pictures = []
    for name, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 390, False)):
        to = tmp_path / f"{name}.png"
        said = chromium.picture(page, to, width=width, height=2400, dark=dark)
        assert "Content Security Policy" not in said
        pictures.append(to.read_bytes())
    assert all(one.startswith(b"\x89PNG") for one in pictures)
    assert len(set(pictures)) == len(pictures)


def test_the_policy_refuses_a_script(chromium: Browser, page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("<main>", f"<main>{_SCRIPT}"), encoding="utf-8")

    said = chromium.picture(page, tmp_path / "x.png", width=800, height=600, dark=False)

    assert "Content Security Policy" in said
    assert "<title>run</title>" not in chromium.dom(page)


def _tags(dom: str) -> str:
    """Give the elements with their attributes, without text."""
    return "".join(re.findall(r"<[a-z][^>]*>", dom))
