"""The page of a fleet says what is known, hides secrets, and treats no text as markup."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from deploy.metrics.plan.exposition import read_metrics
from deploy.node.state import Interrupted
from deploy.overview.plan.fleet import Fleet, Unknown
from tests.unit.deploy.console import test_hostile_text
from tests.unit.deploy.examples import state
from tests.unit.deploy.notify.plan import test_render
from tests.unit.deploy.overview import fleets
from tests.unit.deploy.overview.fleets import NOW, STYLE, app, change, fleet, written

SECRET = 'hunter2 "& <quoted>'
MARKUP = "</td></title></style><script>alert(1)</script><img src=x onerror='alert(1)'>\"' onload=x"
HOSTILE = [MARKUP, test_hostile_text.HOSTILE, test_render.HOSTILE, "a\x1b]52;c;eA==\x07[bold]"]


class Reader(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def test_the_page_tells_of_nodes_apps_releases_certificates_drift_and_changes() -> None:
    said = Reader(written(fleet())).text

    for word in (
        "3 nodes, 4 apps, as of 2030-07-15 12:00:00 UTC",
        "web3.example.org does not answer at port 22: connection timed out",
        "unheard",
        "its status page is 20 minutes old",
        "1 unit of the machine failed",
        "1 GB of 4 GB free",
        "6 GB of 80 GB free",
        "healthy",
        "the health path answers 502",
        "20300515-120000-ab12",
        "ann@desk",
        "60 days",
        "9 days",
        "no certificate",
        "/etc/sysctl.d/90-shop.conf",
        "fab converge",
        "not known: the spec of the node is not in state/specs",
        "bob@laptop",
        "192.0.2.44",
        "12 changes since 2030-06-23, 3 failed",
        "seconds of 5 deploys, at most 16.5",
    ):
        assert word in said, word


def test_a_fleet_in_order_needs_no_attention() -> None:
    first = fleet().nodes[0]

    assert "Nothing." in Reader(written(Fleet(NOW, (first,)))).texts
    failed = replace(first, apps=(app(health="no"),))
    assert "Nothing." not in Reader(written(Fleet(NOW, (failed,)))).texts


def test_what_needs_attention_leads_to_its_app() -> None:
    elements = Reader(written(fleet())).elements

    ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
    links = {attributes["href"] for tag, attributes in elements if tag == "a"}
    assert links == {f"#{one}" for one in ids}
    assert len(ids) == 4


def test_changes_of_every_node_are_in_one_order_in_utc() -> None:
    said = Reader(written(fleet())).texts
    times = [text for text in said if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)]

    assert len(times) == 14
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_and_no_element_attribute_or_control_character(text: str) -> None:
    page = written(fleets.hostile(text))
    plain, found = Reader(written(fleets.hostile("plain"))), Reader(page)

    # The same elements with the same attributes, whatever the text.
    assert [(tag, sorted(names)) for tag, names in found.elements] == [
        (tag, sorted(names)) for tag, names in plain.elements
    ]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\u2066\ud800]", page)
    assert page.encode()
    assert found.text.count("\\x1b") >= text.count("\x1b")


def test_hostile_text_is_shown_whole() -> None:
    assert MARKUP in Reader(written(fleets.hostile(MARKUP))).texts


def test_a_secret_is_hidden_in_every_place_and_the_control_finds_it() -> None:
    shown = fleets.hostile(f"because {SECRET} failed")
    encoded = base64.b64encode(SECRET.encode()).decode()

    assert SECRET in Reader(written(shown)).text
    assert encoded in Reader(written(fleets.hostile(encoded))).text

    for one in (shown, fleets.hostile(encoded)):
        found = Reader(written(one, SECRET))
        said = [found.text, *(str(text) for _, names in found.elements for text in names.values())]
        assert not any(secret in text for text in said for secret in (SECRET, encoded))
        assert "***" in found.text


def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_alone() -> None:
    page = written(fleet())
    elements = Reader(page).elements

    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"<style>{STYLE}</style>" in page
    (policy,) = [
        names["content"]
        for tag, names in elements
        if names.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    names = {name for _, attributes in elements for name in attributes}
    assert not names & {"src", "style", "srcset", "xlink:href"}
    assert not any(name.startswith("on") for name in names)
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_numbers_that_cannot_be_are_left_out() -> None:
    strange = fleets.METRICS.replace("1900000000", "1e300").replace("units 1", "units +Inf")
    strange = strange.replace("size_bytes 4000000000", "size_bytes NaN")
    strange = strange.replace('size_bytes{path="/var"} 80000000000', 'size_bytes{path="/var"} 0')
    metrics = read_metrics(strange)
    node = replace(fleet().nodes[0], metrics=metrics)

    said = Reader(written(Fleet(NOW, (node,)))).text

    assert " free" not in said
    assert "failed units" not in said


def test_very_many_rows_are_counted_and_long_texts_cut() -> None:
    lines = tuple(change(detail="x" * 9999) for _ in range(250))
    node = replace(fleet().nodes[0], journal=lines)

    found = Reader(written(Fleet(NOW, (node,))))

    assert "50 more are not shown." in found.texts
    assert max(map(len, found.texts[found.texts.index("Journal of changes") :])) == 500


def test_an_unfinished_deploy_and_an_unknown_state_need_attention() -> None:
    held = state(interrupted=Interrupted(release="r9", previous=""))
    node = replace(fleet().nodes[0], apps=(app(state=held), app(state=Unknown("it is odd"))))

    said = Reader(written(Fleet(NOW, (node,)))).text

    assert "the deploy of r9 has not finished" in said
    assert "its state is not known: it is odd" in said
