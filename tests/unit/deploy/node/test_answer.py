"""A node's JSON is parsed by a model, or refused with the wrong field."""

import json
import typing
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from pydantic import BaseModel

from deploy.app.plan.history import KeptRelease, PastRelease
from deploy.app.releases import kept_releases
from deploy.app.workers import Worker, Workers
from deploy.errors import DeployError
from deploy.machine.drift.inspect import inspect
from deploy.machine.drift.plan.inspection import Inspection
from deploy.machine.install.plan.installation import Written
from deploy.machine.install.plan.live_facts import LiveFacts
from deploy.node.answer import Value, read_answer, reading
from deploy.node.holdings import AuthorizedKey, Holdings, ask_holdings
from deploy.node.journal import AuditLine
from deploy.node.release import Manifest
from deploy.node.schema import Versioned
from deploy.node.state import NodeState, probe
from tests.unit.deploy.examples import manifest, state
from tests.unit.deploy.fake_remote import FakeRemote

WORKERS = Workers(
    state="healthy",
    workers=(Worker(name="web", state="healthy", last_sign=0.5, restarts=0, reasons=()),),
)


def refusal(text: str) -> DeployError:
    with pytest.raises(DeployError) as caught:
        read_answer(Workers, text, "the status", "look there")
    return caught.value


def test_an_answer_is_read_as_it_was_written() -> None:
    assert read_answer(Workers, WORKERS.model_dump_json(), "the status") == WORKERS


def test_a_refusal_names_the_answer_and_the_wrong_field() -> None:
    error = refusal('{"state": "healthy", "workers": [{}]}')

    assert error.message == "the status cannot be read at workers.0.name: Field required"
    assert error.hint == "look there"


def test_a_refusal_does_not_repeat_a_long_answer() -> None:
    with pytest.raises(DeployError) as caught:
        read_answer(dict[str, int], json.dumps({"x" * 10_000: "y" * 10_000}), "sizes")

    assert len(caught.value.message) < 400


def test_an_answer_of_too_many_values_is_not_parsed() -> None:
    with pytest.raises(DeployError, match="the sizes cannot be read: it has more than"):
        read_answer(tuple[int, ...], f"[{'1,' * 2_000_001}1]", "the sizes")


def test_thousands_of_wrong_values_are_counted_and_not_listed() -> None:
    with pytest.raises(DeployError, match=r"the sizes cannot be read: 5001 values are invalid"):
        read_answer(tuple[int, ...], f"[{'{},' * 5000}{{}}]", "the sizes")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"state": ' * 100_000,
        '{"state": "\\ud800", "workers": []}',
        '{"state": "", "workers": [], "x": ' + "9" * 10_000 + "}x",
        "\0",
        "",
    ],
)
def test_whatever_cannot_be_parsed_is_one_message(text: str) -> None:
    assert refusal(text).message.startswith("the status cannot be read")


@pytest.mark.parametrize("error", [OverflowError("far"), RecursionError(), KeyError("a")])
def test_whatever_fails_while_an_answer_is_read_is_one_message(error: Exception) -> None:
    with pytest.raises(DeployError, match="the status cannot be read: "), reading("the status"):
        raise error


def manifest_of(**changes: object) -> str:
    return json.dumps(json.loads(manifest().model_dump_json()) | changes)


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "a/b",
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a\nb",
        "a" * 65,
        "99991231-235959-abcd",
    ],
)
def test_a_release_whose_name_is_no_file_name_or_of_a_far_time_is_refused(name: str) -> None:
    with pytest.raises(DeployError, match="at release: that is no name of a release"):
        read_answer(Manifest, manifest_of(release=name), "the manifest")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", "9999-12-31T23:59:59Z"),
        ("at", "0001-01-01T00:00:00Z"),
        ("at", "2030-01-01T00:00:00"),
        ("image_id", "sha256:../x"),
        ("certificate", "x"),
        ("key", "\x1b[2J"),
        ("generations", {"cert_pass": 2**70}),
        ("seconds", {"start": 1e300}),
    ],
)
def test_a_value_of_a_manifest_that_calculations_or_paths_cannot_take_is_refused(
    field: str, value: object
) -> None:
    with pytest.raises(DeployError, match=f"the manifest cannot be read at {field}"):
        read_answer(Manifest, manifest_of(**{field: value}), "the manifest")


@pytest.mark.parametrize("ask", ["probe", "releases", "holdings", "inspect"])
def test_a_manifest_of_another_app_than_the_one_asked_about_is_refused(ask: str) -> None:
    other = manifest(app="../../shop-www")
    kept = KeptRelease(manifest=other, serves=True, failed=False, bytes=1, image_bytes=1)
    holdings = {"clock": 0, "release": "", "inside": "", "manifest": other, "host_keys": ()}
    holdings |= {"host_keys_changing": False, "access": (), "credentials": (), "compared": {}}
    remote = FakeRemote({
        "probe": state(manifest=other).model_dump_json(),
        "releases": f"[{kept.model_dump_json()}]",
        "holdings": Holdings.model_validate(holdings).model_dump_json(),
        "inspect": json.dumps({"manifest": json.loads(other.model_dump_json())}),
    })  # fmt: skip
    asked: dict[str, Callable[[], object]] = {
        "probe": lambda: probe(remote, "shop-www"),
        "releases": lambda: kept_releases(remote, "shop-www"),
        "holdings": lambda: ask_holdings(remote, "shop-www", {}),
        "inspect": lambda: inspect(remote, "shop-www"),
    }

    with pytest.raises(DeployError, match="cannot be read") as caught:
        asked[ask]()
    reasons = caught.value.__cause__
    assert "it is of ../../shop-www, not of shop-www" in str(reasons)


def unbounded(hint: object) -> bool:
    """Tell whether numbers or times of any size fit a type."""
    if hint in {int, float, datetime}:
        return True
    return any(unbounded(part) for part in typing.get_args(hint) if not _annotated(hint))


def _annotated(hint: object) -> bool:
    return typing.get_origin(hint) is typing.Annotated


def models(above: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in above.__subclasses__():
        yield one
        yield from models(one)


def test_no_number_or_time_of_an_answer_is_unbounded() -> None:
    # PastRelease is made here, of values that were read.
    read = {*models(Value), *models(Versioned)} - {PastRelease}
    assert {NodeState, Manifest, AuditLine, Holdings, Inspection, LiveFacts, Written} <= read
    found = [
        f"{model.__name__}.{name}"
        for model in read
        for name, hint in typing.get_type_hints(model, include_extras=True).items()
        if name in model.model_fields and name != "schema_version" and unbounded(hint)
    ]

    assert found == []


def test_the_name_of_a_users_file_of_keys_adds_no_line() -> None:
    said = {"user": "ann", "file": "/a\nb", "line": "x", "age_seconds": 1}

    assert read_answer(AuthorizedKey, json.dumps(said), "a key").file == r"/a\nb"


def test_a_time_that_a_user_gave_a_file_is_shown_as_centuries_away() -> None:
    there = {"kind": "f", "mode": "644", "mtime": 2**62, "target": "", "sha256": ""}
    model = typing.get_args(typing.get_type_hints(Inspection)["files"])[1]

    assert read_answer(model, json.dumps(there), "a file").mtime.year == 2286
