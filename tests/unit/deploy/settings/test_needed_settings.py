"""A command asks only for the settings it needs."""

from pathlib import Path

import pytest
from invoke.config import Config
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
    (tmp_path / ".env").write_text(UNFINISHED, encoding="utf-8")
    return tmp_path


def fab(folder: Path, command: str, **options: object) -> None:
    """Run a command for a folder, as Fabric does."""
    fabfile.ns[command](Context(Config(overrides={"folder": folder})), **options)


def add(folder: Path, text: str) -> None:
    (folder / ".env").write_text(UNFINISHED + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("audit", {}),
        ("logs", {}),
        ("prune", {}),
        ("rehearsal-fault", {"fault": "hang"}),
        ("releases", {}),
        ("unlock", {"reason": "it hangs"}),
    ],
)
def test_what_only_logs_in_needs_a_project_and_a_node(
    command: str, options: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets: list[Target] = []

    def open_session(project: Project, login: None = None) -> None:
        targets.append(session.target(project))
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "open_session", open_session)
    monkeypatch.setattr(session, "expect_login", lambda project: None)
    monkeypatch.setattr(git, "_git", lambda folder, *words: "")
    add(folder, "PROJECT=shop\nNODE_ADDRESS=192.0.2.1\nNODE_PORT=2222\n")

    with pytest.raises(Exit):
        fab(folder, command, **options)

    assert [(one.host, one.port) for one in targets] == [("192.0.2.1", 2222)]


def test_pinning_a_key_needs_a_project_and_a_node(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "read_host_key", lambda target: ("ssh-ed25519 AAAA", "SHA256:x"))
    monkeypatch.setattr(trust, "known_as", lambda target: (target.host, 22))
    add(folder, "PROJECT=shop\nNODE_ADDRESS=192.0.2.1\n")

    fab(folder, "trust", fingerprint="SHA256:x")

    assert (folder / "certs/known_hosts").read_text() == "192.0.2.1 ssh-ed25519 AAAA\n"


def test_removing_a_node_by_name_needs_no_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []
    monkeypatch.setattr(lifecycle, "down", lambda name, owner: removed.append((name, owner)))

    fab(folder, "rehearsal-down", node="www")

    assert removed == [("www", folder)]


def test_removing_every_node_needs_no_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "down_all", lambda owner: ())
    (folder / ".env").unlink()

    fab(folder, "rehearsal-down", all=True)


def test_removing_the_projects_node_asks_for_the_project_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    removed = []
    monkeypatch.setattr(lifecycle, "down", lambda name, owner: removed.append(name))

    with pytest.raises(Exit):
        fab(folder, "rehearsal-down")
    assert "1 problem in the settings:\n  PROJECT is missing" in capsys.readouterr().err

    add(folder, "PROJECT=shop\n")
    fab(folder, "rehearsal-down")
    assert removed == ["shop"]


def test_listing_nodes_needs_no_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "status", lambda: ())

    fab(folder, "rehearsal-status", json=True)


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

    for command in ("rehearsal-up", "rehearsal-reboot"):
        with pytest.raises(Exit):
            fab(folder, command)

    login = Login("core", folder / "id")
    assert asked == [("shop", login), ("shop", login)]


def test_a_virtual_machine_needs_no_image_of_the_app(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".env").write_text("PROJECT=shop\n", encoding="utf-8")
    monkeypatch.setattr(vm, "_is_taken", lambda port: False)

    with pytest.raises(Exit):
        fab(folder, "vm", image="absent.qcow2")

    said = capsys.readouterr().err
    assert "absent.qcow2 does not exist" in said
    assert "settings" not in said


def test_building_the_sample_needs_the_images_name_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "build", lambda tag, on_step: "0123456789ab")
    (folder / ".env").write_text("IMAGE=localhost/sample:1\n", encoding="utf-8")

    fab(folder, "sample-build")

    assert "localhost/sample:1 is 0123456789ab" in capsys.readouterr().out


def test_a_medium_needs_keys_to_let_in_and_no_image_of_the_app(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(folder, "PROJECT=shop\n")

    for command in ("iso", "pxe"):
        with pytest.raises(Exit):
            fab(folder, command, image="absent.iso")
        assert "error: absent.iso is not a file" in capsys.readouterr().err


def test_installing_needs_a_machine_spec_and_no_image_of_the_app(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(folder, "PROJECT=shop\n")

    with pytest.raises(Exit):
        fab(folder, "install", host="192.0.2.1")
    assert f"{folder}/build/shop-www.ign does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["image-send", "image-verify"])
def test_sending_an_image_needs_the_image_and_a_node(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".env").write_text("HTTPS_PORT=none\nPROJECT=shop\n", encoding="utf-8")

    with pytest.raises(Exit):
        fab(folder, command)
    assert "1 problem in the settings:\n  IMAGE is missing" in capsys.readouterr().err
