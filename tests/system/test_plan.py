"""What a deploy would do is shown before, done as shown, and written down after."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.workstation.git import author
from tests.images import build_image, remove_images
from tests.system.project import Project

pytestmark = pytest.mark.node
LOG = "/var/lib/corefab/audit.log"


@pytest.fixture
def hooks(serving: Project) -> Iterator[Path]:
    folder = serving.folder / "hooks"
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def hook(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def app_of(project: Project) -> str:
    return project.settings["PROJECT"] + "-www"


def newest(project: Project) -> dict[str, object]:
    lines: list[dict[str, object]] = json.loads(project.must("audit", "--json"))["lines"]
    return lines[-1]


def test_a_plan_shows_every_difference_does_nothing_and_is_then_done(serving: Project) -> None:
    home = f"/var/lib/{app_of(serving)}"
    look = f"cat {LOG}; readlink {home}/current; ls -lR {home}/releases /etc/containers/systemd"
    before = serving.ssh(look)
    new = {"ENV_GREETING": "as planned", "SECRET_API_TOKEN": "hunter2hunter2"}

    shown = serving.fab("plan", "--exit-code", **new)
    told = json.loads(serving.must("plan", "--json", **new))

    assert shown.code == 2
    assert '+Environment="GREETING=as planned"' in shown.out
    assert "credential api_token: generation" in shown.out
    assert "hunter2" not in shown.out + json.dumps(told)
    assert serving.ssh(look) == before
    done = serving.must("deploy", **new)
    for step in told["steps"]:
        assert step["summary"] in done
    assert done.count("✓") == len(told["steps"]) + 1
    assert serving.fab("plan", "--exit-code", **new).code == 0
    serving.must("deploy")


def test_nothing_to_do_says_so_with_exit_code_0(serving: Project) -> None:
    said = serving.fab("plan", "--exit-code")

    assert (said.code, "nothing to do" in said.out) == (0, True)


def test_a_plan_that_cannot_be_made_ends_with_exit_code_1(serving: Project) -> None:
    assert serving.fab("plan", "--exit-code", "--first").code == 1


def test_changed_project_files_are_shown_line_by_line_and_others_by_hash(
    serving: Project,
) -> None:
    files = serving.folder / "container/sample/files"
    page = (files / "index.html").read_text()
    (files / "logo.bin").write_bytes(bytes(range(256)))
    serving.must("deploy")
    (files / "logo.bin").write_bytes(bytes(range(255, -1, -1)))
    (files / "index.html").write_text(page + "<p>new</p>\n")

    said = serving.must("plan")

    (files / "index.html").write_text(page)
    (files / "logo.bin").unlink()
    serving.must("deploy")
    assert "    +<p>new</p>" in said
    assert re.search(r"  changed logo\.bin: [0-9a-f]{16} -> [0-9a-f]{16}", said)


def test_a_release_is_written_down_whole_here_and_on_the_node(serving: Project) -> None:
    serving.must("deploy", "--force")
    app = app_of(serving)

    there = json.loads(serving.ssh(f"cat /var/lib/{app}/current/manifest.json"))
    copy = serving.folder / f"state/releases/{app}/{there['release']}.json"
    links = serving.ssh(f"stat -c %h /var/lib/{app}/current/files/index.html")

    assert json.loads(copy.read_text()) == there
    assert copy.stat().st_mode & 0o777 == 0o600
    assert there["health"] == "healthy"
    assert {"stage", "image", "files", "start", "move", "prove"} <= there["seconds"].keys()
    assert set(there["generations"]) == {"api_token", "cert_pass", "smtp_pass"}
    assert int(links) > 1, "a project file that did not change lies on the disk once"


def test_releases_tell_which_serves_and_which_failed(serving: Project, hooks: Path) -> None:
    hook(hooks, "before-deploy", "exit 7")
    assert serving.fab("deploy", "--force").code == 1

    found = json.loads(serving.must("releases", "--json"))["releases"]
    shown = serving.must("releases")

    current = serving.ssh(f"readlink /var/lib/{app_of(serving)}/current").strip()
    assert [one["release"] for one in found if one["serves"]] == [current.split("/")[1]]
    assert (found[0]["result"], found[0]["kept"]) == ("failed", False)
    assert "hook before-deploy failed" in found[0]["detail"]
    assert found[1]["bytes"] > 0
    assert found[1]["image_bytes"] > 0
    for one in found:
        assert re.search(rf"{one['release']}\s+{one['result']}", shown)


def test_a_hook_gets_the_plan_and_can_stop_it_before_anything_changes(
    serving: Project, hooks: Path
) -> None:
    home = f"/var/lib/{app_of(serving)}"
    # No times: the app itself writes to its folder `data`.
    look = f"readlink {home}/current; ls {home}; ls -l {home}/releases"
    before = serving.ssh(look)
    hook(hooks, "before-deploy", "cat >heard-before; echo not today; exit 3")
    hook(hooks, "failed-deploy", "cat >heard-failed")

    said = serving.fab("deploy", ENV_GREETING="hooked")

    heard = json.loads((serving.folder / "heard-before").read_text())
    failed = json.loads((serving.folder / "heard-failed").read_text())
    assert said.code == 1
    assert "not today" in said.out
    assert serving.ssh(look) == before
    assert heard["units"][0]["how"] == "changed"
    assert "hook before-deploy failed" in failed["error"]
    assert newest(serving)["result"] == "failed"


def test_a_hook_after_a_deploy_cannot_undo_it(serving: Project, hooks: Path) -> None:
    hook(hooks, "after-deploy", "cat >heard-after; exit 3")

    said = serving.must("deploy", "--force")

    heard = json.loads((serving.folder / "heard-after").read_text())
    assert "warning" in said
    assert heard["release"] in said


def test_every_change_is_in_the_nodes_journals_with_where_it_came_from(serving: Project) -> None:
    line = newest(serving)
    raw = serving.ssh(f"tail -n 1 {LOG}; journalctl --sync").strip()

    assert line["login"] == "core"
    assert line["who"] == author(serving.folder).who
    assert str(line["from"]) in serving.ssh("journalctl -q -u ssh -u sshd -o cat | grep Accepted")
    assert raw in serving.ssh("journalctl -q -t corefab -o cat").splitlines()


def test_the_journal_of_changes_can_only_be_appended_to(serving: Project) -> None:
    before = serving.ssh(f"cat {LOG}")

    said = serving.ssh(f"lsattr {LOG}; (: >{LOG}) 2>&1 || true; rm -f {LOG} 2>&1 || true")

    assert "a" in said.split()[0]
    assert said.count("Operation not permitted") == 2
    assert serving.ssh(f"cat {LOG}") == before


def test_a_rotation_and_a_failed_deploy_are_named_for_what_they_are(serving: Project) -> None:
    image = serving.settings["IMAGE"]
    dying = image.replace("test", "dying")
    text = f'FROM {image}\nENTRYPOINT ["/usr/bin/python3", "-c", "import sys; sys.exit(3)"]\n'
    build_image(dying, text, serving.folder)

    serving.must("cert-rotate-https")
    rotated = newest(serving)
    failed = serving.fab("deploy", IMAGE=dying)

    remove_images(dying)
    line = newest(serving)
    assert (rotated["what"], rotated["result"]) == ("certificate", "ok")
    assert failed.code == 1
    assert (line["what"], line["result"]) == ("deploy", "failed")
    assert "failed on" in str(line["detail"])
