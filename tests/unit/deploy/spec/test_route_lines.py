"""What Caddy says of a line of the operator's is said of the operator's own file."""

from pathlib import Path

import pytest

from deploy.project import Project
from deploy.spec.render import render_sources, values_of
from deploy.spec.route_lines import in_own_file
from tests.unit.deploy.examples import settings

OWN = "header {\n\tX-Own mine\n}\n\nno_such_directive\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "proxy").mkdir()
    (tmp_path / "proxy/shop-www.caddy").write_text(OWN)
    return Project(tmp_path, settings(TLS="proxy"))


def message(line: int, app: str = "shop-www") -> str:
    return f"Error: adapting config: /run/proxy/trial.shop-www/routes/{app}.caddy:{line}: unknown"


@pytest.mark.parametrize("own", [1, 2, 4, 5])
def test_a_line_of_the_operators_is_named_by_its_own_file(project: Project, own: int) -> None:
    rendered = render_sources(project.folder, values_of(project)).templates["app/route.caddy"]
    lines = rendered.decode().splitlines()
    at = lines.index("\theader {") + own

    said = in_own_file(message(at), project)

    assert said == f"Error: adapting config: proxy/shop-www.caddy:{own}: unknown"
    assert lines[at - 1].strip() == OWN.splitlines()[own - 1].strip()


@pytest.mark.parametrize("line", [1, 9, 99999])
def test_other_lines_and_other_apps_stay_as_they_are(project: Project, line: int) -> None:
    assert in_own_file(message(line), project) == message(line)
    assert in_own_file(message(33, "shop-api"), project) == message(33, "shop-api")
