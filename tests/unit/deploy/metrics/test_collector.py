"""The example of a collector in docs/metrics.md is an overlay that makes a unit."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from deploy.project import Project
from deploy.spec.plan.machine import read_machine
from deploy.spec.render import Rendered, render
from deploy.spec.units import lint_units
from tests.root import ROOT
from tests.unit.deploy.examples import settings

UNIT = "/etc/containers/systemd/collector.container"
GENERATOR = Path("/usr/lib/systemd/system-generators/podman-system-generator")


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


@pytest.mark.program
def test_podman_makes_a_service_of_it(rendered: Rendered, tmp_path: Path) -> None:
    if not GENERATOR.exists():
        pytest.skip("podman's generator is not installed")
    (tmp_path / "units").mkdir()
    (tmp_path / "units/collector.container").write_text(unit(rendered))

    done = subprocess.run(
        [GENERATOR, "--dryrun"],
        env={**os.environ, "QUADLET_UNIT_DIRS": str(tmp_path / "units")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "collector.service" in done.stdout
    assert "Restart=always" in done.stdout
