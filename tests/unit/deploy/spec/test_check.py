"""`fab check`; nothing is written and no node reached while the lint finds an error."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.app.deploy import DeployOptions, deploy
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.check import check
from deploy.spec.lint.finding import Rhythm
from deploy.spec.prepare import prepare
from deploy.spec.render import render
from deploy.spec.units import lint_units, refuse_errors, rhythm
from tests.root import ROOT
from tests.unit.deploy.examples import settings

HEAD = "variant: fcos\nversion: 1.5.0\n"
DROP_IN = "/etc/containers/systemd/container.d/mine.conf"
Found = dict[str, Any]
Looked = tuple[int, Found]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me@here"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as its example has it, with no overlays."""
    for key in Settings.model_fields:
        monkeypatch.delenv(key.upper(), raising=False)
    shutil.copytree(ROOT / "butane/templates", tmp_path / "butane/templates")
    (tmp_path / "butane/overlays").mkdir()
    (tmp_path / "container/sample/files").mkdir(parents=True)
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    return tmp_path


@pytest.fixture
def look(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], Looked]:
    """Check the project as a program does."""

    def looked() -> Looked:
        code = check(project, None, as_json=True)
        return code, json.loads(capsys.readouterr().out)

    return looked


def overlay(project: Path, name: str, text: str) -> None:
    path = project / "butane/overlays" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def drop_in(project: Path, text: str) -> None:
    """Override the app's own containers, as an operator does."""
    overlay(project, "mine/mine.conf", text)
    carried = f"- path: {DROP_IN}\n      contents: {{local: mine/mine.conf}}"
    overlay(project, "mine.bu", f"{HEAD}storage:\n  files:\n    {carried}\n")


def places(found: Found) -> list[str]:
    return [f"{one['rule']} {one['file']}:{one['line']}" for one in found["findings"]]


def test_the_example_has_no_errors(look: Callable[[], Looked]) -> None:
    assert look() == (0, {"errors": 0, "warnings": 0, "findings": []})


def test_all_problems_of_settings_and_overlays_are_listed_at_once(
    project: Path, look: Callable[[], Looked]
) -> None:
    text = (project / ".env").read_text().replace("HTTPS_PORT=443", "HTTPS_PORT=nine")
    (project / ".env").write_text(text.replace("NAME=www", "NAME=W W"))
    overlay(project, "db.container", "[Container]\nNotify=healthy\nVolume=/etc:/e:Z\n")

    code, found = look()

    assert code == 1
    assert (found["errors"], found["warnings"]) == (3, 1)
    rules = [one["rule"] for one in found["findings"]]
    assert rules == ["settings", "settings", "healthy-unchecked", "shared-relabel"]
    assert all(one["file"] and one["line"] and one["remedy"] for one in found["findings"])


def test_an_overlays_drop_in_is_linted_together_with_its_unit(
    project: Path, look: Callable[[], Looked]
) -> None:
    drop_in(project, "[Container]\nNotify=false\n")

    code, found = look()

    assert code == 1
    assert {one["rule"] for one in found["findings"]} == {"watchdog-unfed"}
    assert all("(/etc/containers/systemd/shop-www" in one["file"] for one in found["findings"])


def test_a_finding_in_an_overlay_names_the_operators_own_file(
    project: Path, look: Callable[[], Looked]
) -> None:
    drop_in(project, "# @FIREWALL_UDP_PORT@ goes\n[Service]\nExecStartPre=/usr/bin/echo $(date)\n")

    _, found = look()

    assert places(found) == [f"no-shell butane/overlays/mine/mine.conf ({DROP_IN}):3"]


def test_units_written_into_a_butane_file_are_linted(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(
        project,
        "job.bu",
        f"{HEAD}systemd:\n  units:\n    - name: job.service\n"
        "      contents: |\n        [Service]\n        ExecStart=/usr/bin/echo $(date)\n"
        "      dropins:\n        - name: x.conf\n          contents: |\n"
        "            [Service]\n            WatchdogSec=5\n            Restart=always\n",
    )

    _, found = look()

    assert places(found) == [
        "no-shell butane/overlays/job.bu (/etc/systemd/system/job.service):8",
        "watchdog-unfed butane/overlays/job.bu (/etc/systemd/system/job.service.d/x.conf):13",
    ]


def test_a_line_of_an_inline_unit_is_found_below_blanks_that_became_several_lines(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(
        project,
        "job.bu",
        f"{HEAD}# @FIREWALL_UDP_PORT@ goes\nsystemd:\n  units:\n    - name: job.service\n"
        "      contents: |\n        [Service]\n\n        # @FIREWALL_UDP_PORT@ goes\n"
        "        ExecStart=/usr/bin/echo $(date)\n"
        "    - name: one.service\n"
        '      contents: "[Service]\\nExecStart=/usr/bin/echo $(date)\\n"\n',
    )

    _, found = look()

    assert places(found) == [
        "no-shell butane/overlays/job.bu (/etc/systemd/system/job.service):11",
        "no-shell butane/overlays/job.bu (/etc/systemd/system/one.service):13",
    ]


def test_a_unit_that_stands_in_no_file_here_is_one_of_the_machine(
    project: Path, look: Callable[[], Looked]
) -> None:
    unit = "/etc/systemd/system/job.service"
    overlay(
        project,
        "job.bu",
        f"{HEAD}storage:\n  files:\n    - path: {unit}\n      contents:\n"
        "        source: data:,%5BService%5D%0AExecStart=/usr/bin/echo%20$(date)%0A\n",
    )

    _, found = look()

    assert places(found) == [f"no-shell {unit} of the machine:2"]


@pytest.mark.parametrize("name", ["mine.yaml", "mine.yml", "mine.ign", "mine.BU", "sub/mine.fcc"])
def test_a_file_that_looks_like_an_overlay_and_is_none_is_shown(
    project: Path, look: Callable[[], Looked], name: str
) -> None:
    overlay(project, name, f"{HEAD}storage: {{}}\n")

    code, found = look()

    assert (code, found["warnings"]) == (0, 1)
    assert places(found) == [f"overlay butane/overlays/{name}:0"]
    assert "name it mine.bu" in found["findings"][0]["remedy"]


def test_a_file_of_any_name_that_an_overlay_refers_to_is_not_shown(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(project, "more.ign", '{"ignition": {"version": "3.3.0"}}')
    overlay(project, "tree/prometheus.yml", "a: b\n")
    overlay(project, "conf/app.yaml", "a: b\n")
    overlay(
        project,
        "mine.bu",
        f"{HEAD}ignition: {{config: {{merge: [{{local: more.ign}}]}}}}\n"
        "storage:\n  trees: [{local: ./tree}]\n"
        "  files: [{path: /etc/app.yaml, contents: {local: conf/app.yaml}}]\n",
    )

    assert look()[1]["findings"] == []


def test_warnings_of_the_translator_are_shown(project: Path, look: Callable[[], Looked]) -> None:
    files = "storage:\n  filez: []\n  files:\n    - path: /etc/x\n      mode: 644\n"
    overlay(project, "mine.bu", f"{HEAD}{files}")

    code, found = look()

    assert (code, found["errors"]) == (0, 0)
    mine = "butane butane/overlays/mine.bu"
    assert set(places(found)) == {f"{mine}:4", f"{mine}:7"}


def test_an_error_in_an_overlay_is_shown_at_its_own_file_and_line(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(project, "mine.bu", f"{HEAD}storage:\n  files:\n    - path: etc/x\n")

    code, found = look()

    assert code == 1
    assert places(found) == ["butane butane/overlays/mine.bu:5"]


def test_a_quadlet_that_no_butane_file_refers_to_yet_is_linted(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(project, "units/db.container", "[Container]\nImage=x\nVolume=/home:/h:Z\n")

    _, found = look()

    assert places(found) == ["shared-relabel butane/overlays/units/db.container:3"]


def test_a_home_under_home_is_found_in_the_butane_file(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(
        project, "u.bu", f"{HEAD}passwd:\n  users:\n    - name: eve\n      home_dir: /home/eve\n"
    )

    _, found = look()

    assert places(found) == ["home-under-home butane/overlays/u.bu:6"]


def test_a_home_under_home_is_found_in_a_sysusers_file(
    project: Path, look: Callable[[], Looked]
) -> None:
    overlay(project, "eve.conf", 'u eve 30000 "Eve" /home/eve\n')
    overlay(
        project, "u.bu",
        f"{HEAD}storage:\n  files:\n    - path: /etc/sysusers.d/eve.conf\n"
        "      contents: {local: eve.conf}\n",
    )  # fmt: skip

    _, found = look()

    assert places(found) == ["home-under-home /etc/sysusers.d/eve.conf:1"]


def test_warnings_alone_do_not_fail_the_check(project: Path, look: Callable[[], Looked]) -> None:
    text = (project / ".env").read_text()
    (project / ".env").write_text(text.replace("WATCHDOG_SECONDS=60", "WATCHDOG_SECONDS=9"))

    code, found = look()

    assert (code, found["errors"]) == (0, 0)
    assert {one["rule"] for one in found["findings"]} == {"watchdog-too-short"}
    assert found["warnings"] == len(found["findings"])


def test_the_supervisors_policy_in_the_settings_is_compared_with_the_watchdog(
    project: Path, look: Callable[[], Looked]
) -> None:
    text = (project / ".env").read_text()
    (project / ".env").write_text(f"{text}\nENV_SUPERVISE_SET=interval=60 jobs.interval=5\n")

    code, found = look()

    assert code == 1
    assert {one["rule"] for one in found["findings"]} == {"watchdog-too-short"}


def test_missing_project_files_and_a_wrong_overlay_are_listed_together(
    project: Path, look: Callable[[], Looked]
) -> None:
    (project / "container/sample/files").rmdir()
    overlay(project, "x.bu", "variant: nonsense\n")
    overlay(project, "y.bu", f"{HEAD}storage: [\n")

    code, found = look()

    assert code == 1
    assert [one["rule"] for one in found["findings"]] == ["project-files", "butane"]


def test_a_finding_is_printed_with_place_reason_and_remedy(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_in(project, "[Service]\nLoadCredential=x\n")

    assert check(project, None, as_json=False) == 1

    said = capsys.readouterr()
    assert "mine.conf" in said.out
    assert "LoadCredential=x [bare-credential]" in said.out
    assert "-> LoadCredential=x:/etc/credstore.encrypted/x" in said.out
    assert "1 error, 0 warnings" in said.err


def test_the_spec_is_not_written_while_the_lint_finds_an_error(project: Path) -> None:
    drop_in(project, "[Service]\nLoadCredential=x\n")
    (project / "me.pub").write_text(KEY)

    with pytest.raises(DeployError, match="bare-credential"):
        prepare(Project(project, settings(SSH_KEYS="me.pub")))
    assert not (project / "build").exists()


def test_no_node_is_reached_while_the_lint_finds_an_error(project: Path) -> None:
    drop_in(project, "[Service]\nLoadCredential=x\n")

    # The seal of the tests would break at the first connection; nothing else is there to fail.
    with pytest.raises(DeployError, match="1 error in the units"):
        deploy(Project(project, settings(NODE_ADDRESS="127.0.0.1")), DeployOptions(first=True))


def test_rules_that_depend_on_podman_use_the_nodes_version(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_in(project, '[Container]\nHealthCmd=sh -c "true"\n')

    refuse_errors(render(Project(project, settings())))
    assert "health-quotes" in capsys.readouterr().err
    refuse_errors(render(Project(project, settings())), podman="5.8.2")
    assert capsys.readouterr().err == ""
    with pytest.raises(DeployError, match="health-quotes"):
        refuse_errors(render(Project(project, settings())), podman="5.4.2")


def test_the_apps_own_units_pass_the_lint_with_any_settings(project: Path) -> None:
    for given in (
        settings(),
        settings(NOTIFY="true", WATCHDOG_SECONDS="60", HTTP_PORT="80", STOP_SECONDS="300"),
        settings(CONTAINER_USER="image", HEALTH_TIMEOUT_SECONDS="1", SMTP_HOST="mail"),
    ):
        assert lint_units(render(Project(project, given))) == ()


def test_the_slowest_worker_of_a_policy_counts() -> None:
    assert rhythm("") == Rhythm(10, 30, 71.25)
    found = rhythm("interval=1 grace=1 backoff_max=1 start=5")
    assert found == Rhythm(
        1, 5, 10.875, (), frozenset({"interval", "grace", "backoff_max", "start"})
    )
    assert rhythm("interval=1 jobs.interval=20 jobs.start=60 web.user=nobody-here") == Rhythm(
        20, 60, 116.25, (), frozenset({"interval", "start"})
    )


def test_a_policy_that_cannot_be_read_says_why() -> None:
    problems = rhythm("interval intervall=1 grace=soon").problems

    assert [problem for problem in problems if "KEY=VALUE" in problem]
    assert [problem for problem in problems if "did you mean interval?" in problem]
    assert [problem for problem in problems if "grace" in problem]
