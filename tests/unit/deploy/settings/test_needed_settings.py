"""A command asks only for the settings it needs."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import fabfile
from container.sample import build
from deploy.machine.vm import vm
from deploy.node import session, trust
from deploy.node.target import Target
from deploy.project import Project
from deploy.settings.model import KEYS
from deploy.workstation import git
from rehearsal import lifecycle
from rehearsal.ready import Login

UNFINISHED = "HTTPS_PORT=none\nIMAGE=\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in a folder whose settings are not finished."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(fabfile, "_FOLDER", tmp_path)
    (tmp_path / ".env").write_text(UNFINISHED, encoding="utf-8")
    return tmp_path


def add(folder: Path, text: str) -> None:
    (folder / ".env").write_text(UNFINISHED + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("audit", {}),
        ("logs", {}),
        ("prune", {}),
        ("rehearse", {"fault": "hang"}),
        ("releases", {}),
        ("unlock", {"reason": "it hangs"}),
    ],
)
def test_what_only_logs_in_needs_a_project_and_a_node(
    command: str, options: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets: list[Target] = []

    def open_session(project: Project) -> None:
        targets.append(session.target(project))
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "open_session", open_session)
    monkeypatch.setattr(git, "_git", lambda folder, *words: "")
    add(folder, "PROJECT=shop\nNODE_ADDRESS=192.0.2.1\nNODE_PORT=2222\n")

    with pytest.raises(Exit):
        getattr(fabfile, command)(Context(), **options)

    assert [(one.host, one.port) for one in targets] == [("192.0.2.1", 2222)]


def test_pinning_a_key_needs_a_project_and_a_node(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "read_host_key", lambda host, port: ("ssh-ed25519 AAAA", "SHA256:x"))
    monkeypatch.setattr(trust, "resolve", lambda target: (target.host, 22))
    add(folder, "PROJECT=shop\nNODE_ADDRESS=192.0.2.1\n")

    fabfile.trust(Context(), fingerprint="SHA256:x")

    assert (folder / "certs/known_hosts").read_text() == "192.0.2.1 ssh-ed25519 AAAA\n"


def test_removing_a_node_by_name_needs_no_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []
    monkeypatch.setattr(lifecycle, "down", lambda name, owner: removed.append((name, owner)))

    fabfile.node_down(Context(), node="www")

    assert removed == [("www", folder)]


def test_removing_every_node_needs_no_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "down_all", lambda owner: ())
    (folder / ".env").unlink()

    fabfile.node_down(Context(), all=True)


def test_removing_the_projects_node_asks_for_the_project_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    removed = []
    monkeypatch.setattr(lifecycle, "down", lambda name, owner: removed.append(name))

    with pytest.raises(Exit):
        fabfile.node_down(Context())
    assert "1 problem in the settings:\n  PROJECT is missing" in capsys.readouterr().err

    add(folder, "PROJECT=shop\n")
    fabfile.node_down(Context())
    assert removed == ["shop"]


def test_listing_nodes_needs_no_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "status", lambda: ())

    fabfile.node_status(Context(), json=True)


def test_starting_and_restarting_a_node_need_a_project_and_its_machine_spec(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def boot(name: str, *_: object, **more: object) -> None:
        asked.append((name, more["login"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "up", boot)
    monkeypatch.setattr(lifecycle, "reboot", boot)
    add(folder, "PROJECT=shop\nIDENTITY_FILE=id\n")
    (folder / "build").mkdir()
    (folder / "build/shop-www.ign").touch()

    for command in (fabfile.node_up, fabfile.node_reboot):
        with pytest.raises(Exit):
            command(Context())

    login = Login("core", folder / "id")
    assert asked == [("shop", login), ("shop", login)]


def test_a_virtual_machine_needs_no_image_of_the_app(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".env").write_text("PROJECT=shop\n", encoding="utf-8")
    monkeypatch.setattr(vm, "_is_taken", lambda port: False)

    with pytest.raises(Exit):
        fabfile.vm(Context(), image="absent.qcow2")

    said = capsys.readouterr().err
    assert "absent.qcow2 does not exist" in said
    assert "settings" not in said


def test_building_the_sample_needs_the_images_name_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "build", lambda tag, on_step: "0123456789ab")
    (folder / ".env").write_text("IMAGE=localhost/sample:1\n", encoding="utf-8")

    fabfile.sample_build(Context())

    assert "localhost/sample:1 is 0123456789ab" in capsys.readouterr().out
