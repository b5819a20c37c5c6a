"""The example of a collector in docs/metrics.md is an overlay that makes a unit."""

import re
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import Rendered, render
from deploy.spec.units import lint_units
from tests.root import ROOT
from tests.unit.deploy.examples import settings

UNIT = "/etc/containers/systemd/collector.container"


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n# butane/overlays/collector\.bu\n(.*?)```", text, re.DOTALL)
    assert found
    (tmp_path / "butane/overlays").mkdir(parents=True)
    (tmp_path / "butane/overlays/collector.bu").write_text(found[1])
    return render(Project(tmp_path, settings()))


def unit(rendered: Rendered) -> str:
    places = read_machine(rendered.compiled.ignition).places
    return next(one.content or b"" for one in places if one.path == UNIT).decode()


def test_the_linter_finds_nothing_in_it(rendered: Rendered) -> None:
    found = [one for one in lint_units(rendered) if "collector" in one.file]

    assert found == []
    assert "PublishPort=4318:4318\n" in unit(rendered)
