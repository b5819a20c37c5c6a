"""What transfers measure is kept for the next one, and what is no rate is not believed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import Rates
from deploy.image.rate_store import RateStore

RATES = Rates(link=3e6, speed=0.5, patch=40e6, write_out=150e6)


def measured(folder: Path, node: str = "web1:22") -> RateStore:
    return RateStore(Cache(folder, 0), node)


def test_what_was_measured_is_read_again(tmp_path: Path) -> None:
    measured(tmp_path).store(RATES)

    found = measured(tmp_path).load()

    assert replace(found, cores=RATES.cores) == RATES


def test_a_new_node_has_no_link_yet_but_this_machine_is_known(tmp_path: Path) -> None:
    measured(tmp_path).store(RATES)

    other = measured(tmp_path, "web2:22").load()

    assert (other.link, other.speed, other.patch) == (0.0, 0.5, 40e6)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"here": 1}', '{"nodes": {"web1:22": [1]}}',
             json.dumps({"nodes": {"web1:22": {"link": -1.0, "write_out": "fast"}},
                         "here": {"speed": float("nan")}})],
)  # fmt: skip
def test_what_is_no_rate_is_as_if_nothing_was_measured(tmp_path: Path, text: str) -> None:
    (tmp_path / "measured.json").write_text(text)

    found = measured(tmp_path).load()

    assert found == replace(Rates(link=0.0), cores=found.cores)


def test_only_the_last_hundred_nodes_are_kept(tmp_path: Path) -> None:
    for number in range(105):
        measured(tmp_path, f"web{number}:22").store(RATES)

    kept = json.loads((tmp_path / "measured.json").read_text())["nodes"]
    assert len(kept) == 100
    assert "web104:22" in kept
