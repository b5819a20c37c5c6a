"""Settings, keys, templates and overlays become the machine spec; a secret never does."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from butane.compile import Compiled, compile_text
from butane.errors import ButaneError
from butane.files import carried_files
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError
from deploy.settings.model import Settings
from deploy.spec.prepare import prepare, settings_or_ask
from deploy.spec.render import app_files, render
from deploy.spec.spec import spec_from_settings
from tests.root import ROOT
from tests.unit.deploy.examples import settings

TEMPLATES = ROOT / "butane/templates"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me@here"
HEAD = "variant: fcos\nversion: 1.5.0\n"
MINE = "butane/overlays/mine.bu"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the templates, a public key and no overlays."""
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    shutil.copytree(TEMPLATES, tmp_path / "butane/templates")
    (tmp_path / "butane/overlays").mkdir()
    (tmp_path / "me.pub").write_text(f"{KEY}\n")
    return tmp_path


def made(project: Path, **values: object) -> dict[str, object]:
    given = settings(SSH_KEYS="me.pub", **values)
    found: dict[str, object] = json.loads(prepare(Project(project, given)).read_text())
    return found


def overlay(project: Path, text: str, name: str = "mine.bu") -> None:
    path = project / "butane/overlays" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_spec_is_readable_only_by_its_owner(project: Path) -> None:
    path = prepare(Project(project, settings(SSH_KEYS="me.pub")))

    assert path == project / "build/shop-www.ign"
    for file in (project / "build").rglob("*"):
        assert file.is_dir() or file.stat().st_mode & 0o777 == 0o600, file


def test_the_users_keys_are_in_the_spec(project: Path) -> None:
    found = made(project)

    assert KEY in json.dumps(found["passwd"])


def test_the_same_settings_make_the_same_spec(project: Path) -> None:
    assert made(project) == made(project)


def test_a_deploy_writes_the_files_that_the_spec_carries(project: Path) -> None:
    given = settings(SSH_KEYS="me.pub", HTTP_PORT="80")
    carried = {
        file.path: file for file in carried_files(prepare(Project(project, given)).read_text())
    }

    for file in app_files(render(Project(project, given))):
        assert (carried[file.path].content, carried[file.path].mode) == (file.content, file.mode)


def test_a_deploy_writes_only_where_root_alone_can_write(project: Path) -> None:
    paths = [file.path for file in app_files(render(Project(project, settings(SSH_KEYS="me.pub"))))]

    assert [path for path in paths if not path.startswith("/etc/")] == []


def test_what_is_rendered_is_compiled_once_for_the_lint_and_the_spec(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def count(text: str, **others: Any) -> Compiled:
        compiled.append(others["name"])
        return compile_text(text, **others)

    monkeypatch.setattr("deploy.spec.render.compile_text", count)

    made(project)
    assert compiled == ["build/shop-www.bu"]


def test_overlays_add_and_override_with_files_of_their_own(project: Path) -> None:
    overlay(
        project,
        f"{HEAD}storage:\n  files:\n"
        "    - path: /etc/hostname\n      contents: {inline: mine}\n"
        "    - path: /etc/motd\n      mode: 0600\n      contents: {local: mine/motd}\n",
    )
    overlay(project, "Welcome to @NODE_HOSTNAME@\n", "mine/motd")

    prepare(Project(project, settings(SSH_KEYS="me.pub", NODE_HOSTNAME="web1")))
    ignition = (project / "build/shop-www.ign").read_text()
    files = {file.path: file for file in carried_files(ignition)}
    assert files["/etc/hostname"].content == b"mine"
    assert files["/etc/motd"].content == b"Welcome to web1\n"
    assert files["/etc/motd"].mode == 0o600
    assert json.loads(ignition)["ignition"]["version"] == "3.4.0", "an overlay may be newer"


TREE = f"{HEAD}storage:\n  trees: [{{local: tree, path: /opt}}]\n"


def plant_tree(project: Path) -> Path:
    """Make an overlay of a folder with a program, links and a text with a blank."""
    overlay(project, TREE)
    overlay(project, "#!/bin/sh\n", "tree/bin/tool")
    overlay(project, "of @APP@\n", "tree/text")
    tree = project / "butane/overlays/tree"
    (tree / "bin/tool").chmod(0o755)
    (tree / "latest").symlink_to("bin/tool")
    (tree / "zone").symlink_to("/usr/share/zoneinfo/UTC")
    (tree / "folder").symlink_to("../outside")
    return tree


def test_a_tree_of_an_overlay_keeps_executable_bits_and_links(project: Path) -> None:
    plant_tree(project)

    found: Any = made(project)

    links = {one["path"]: one["target"] for one in found["storage"]["links"]}
    assert links["/opt/latest"] == "bin/tool"
    assert links["/opt/zone"] == "/usr/share/zoneinfo/UTC"
    assert links["/opt/folder"] == "../outside"
    files = {one.path: one for one in carried_files(json.dumps(found))}
    assert files["/opt/bin/tool"].mode == 0o755
    assert (files["/opt/text"].mode, files["/opt/text"].content) == (0o644, b"of shop-www\n")


def test_a_fifo_in_a_tree_is_refused(project: Path) -> None:
    os.mkfifo(plant_tree(project) / "pipe")

    with pytest.raises(ButaneError, match="tree/pipe: a tree has files, folders and symbolic"):
        made(project)


def test_a_name_that_is_not_text_is_refused(project: Path) -> None:
    (plant_tree(project) / os.fsdecode(b"na\xefve")).touch()

    with pytest.raises(ButaneError, match=r"na\\xefve: the name is not UTF-8"):
        made(project)


def test_an_empty_folder_of_a_tree_is_made_where_it_has_a_mode(project: Path) -> None:
    overlay(project, TREE.replace("/opt", "/opt, dir_mode: 0700").replace("1.5.0", "1.7.0"))
    (project / "butane/overlays/tree/empty").mkdir(parents=True)

    found: Any = made(project)

    assert "/opt/empty" in [one["path"] for one in found["storage"]["directories"]]


def test_a_changed_link_or_bit_of_a_tree_is_another_spec(project: Path) -> None:
    tree = plant_tree(project)
    hashes = [spec_hash(project)]
    (tree / "bin/tool").chmod(0o644)
    hashes.append(spec_hash(project))
    (tree / "latest").unlink()
    (tree / "latest").symlink_to("text")
    hashes.append(spec_hash(project))

    assert len(set(hashes)) == 3


def spec_hash(project: Path) -> str:
    return spec_from_settings(Project(project, settings(SSH_KEYS="me.pub"))).sha256


def test_the_sources_of_a_spec_are_left_as_the_overlays_have_them(project: Path) -> None:
    tree = plant_tree(project)
    made(project)
    built = project / "build/shop-www/tree"
    assert built.joinpath("latest").readlink() == Path("bin/tool")
    assert built.joinpath("bin/tool").stat().st_mode & 0o777 == 0o700

    (tree / "latest").unlink()
    made(project)

    assert not built.joinpath("latest").is_symlink()


def test_a_link_among_the_overlays_is_read_as_a_file_outside_of_trees(project: Path) -> None:
    (project / "shared").write_text("shared\n")
    (project / "butane/overlays/motd").symlink_to(project / "shared")
    overlay(project, f"{HEAD}storage: {{files: [{{path: /etc/motd, contents: {{local: motd}}}}]}}")

    files = {file.path: file.content for file in carried_files(json.dumps(made(project)))}

    assert files["/etc/motd"] == b"shared\n"


@pytest.mark.parametrize(
    ("text", "content"),
    [("    - path:\t/etc/mine\n      contents: {inline: a\tb}\n", b"a\tb"),
     ("    - {path: /etc/mine, contents: {inline: a:}}\n", b"a:")],
)  # fmt: skip
def test_an_overlay_is_read_by_butanes_rules_for_yaml(
    project: Path, text: str, content: bytes
) -> None:
    """PyYAML's safe loader refuses both."""
    overlay(project, f"{HEAD}storage:\n  files:\n{text}")

    files = {file.path: file.content for file in carried_files(json.dumps(made(project)))}

    assert files["/etc/mine"] == content


def test_an_overlay_must_not_have_the_name_of_a_template(project: Path) -> None:
    overlay(project, HEAD, "node.bu")

    with pytest.raises(ButaneError, match=r"butane/overlays/node\.bu has the name of a template"):
        made(project)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("@NOTHING@\n", r"mine\.bu:1: the blank @NOTHING@ has no value"),
        (f"{HEAD}storage: [\n", r"mine\.bu:\d+: "),
        (f"{HEAD}storage:\n  files:\n    - path: etc/x\n", f"{MINE}:5: path not absolute"),
        (
            f"{HEAD}storage: {{files: [{{path: /x, contents: {{local: no}}}}]}}\n",
            f"{MINE}:3: open no",
        ),
        (f"{HEAD}storage:\n  files: nothing\n", f"{MINE}:4: cannot unmarshal"),
        ("variant: fcos\nversion: 1.99.0\n", f"{MINE}:2: No translator exists"),
        (
            f"{HEAD}# @FIREWALL_UDP_PORT@\nstorage:\n  files:\n    - path: x\n",
            f"{MINE}:6: path not absolute",
        ),
    ],
)
def test_an_error_in_an_overlay_leaves_the_old_spec(project: Path, text: str, part: str) -> None:
    former = made(project)
    overlay(project, text)

    with pytest.raises(ButaneError, match=part):
        made(project)
    assert json.loads((project / "build/shop-www.ign").read_text()) == former


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mine.bu", f"{HEAD}storage: {{files: [{{path: /x, contents: {{inline: hunter2}}}}]}}"),
        ("mine/secret.conf", "password=hunter2\n" * 100),
    ],
)
def test_a_secret_in_an_overlay_is_refused_before_anything_is_written(
    project: Path, path: str, text: str
) -> None:
    overlay(project, text, path)

    with pytest.raises(DeployError, match=f"value of CERT_PASSWORD appears in {path}") as caught:
        made(project, CERT_PASSWORD="hunter2")
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    assert not (project / "build").exists()


def test_the_authoritys_password_in_an_overlay_is_refused_too(project: Path) -> None:
    overlay(project, "password=hunter2\n", "mine/secret.conf")

    with pytest.raises(DeployError, match="value of AUTHORITY_PASSWORD appears in mine/secret"):
        made(project, AUTHORITY_PASSWORD="hunter2")


@pytest.mark.parametrize("secret", ["hunter2", 'a"b\\c%d$e'])
def test_a_secret_among_the_containers_variables_is_refused(project: Path, secret: str) -> None:
    with pytest.raises(DeployError, match=r"value of SECRET_TOKEN appears in .*ENV_URL"):
        made(project, **{"ENV_*": {"URL": f"x{secret}y"}, "SECRET_*": {"token": secret}})


def test_no_written_file_contains_a_secret(project: Path) -> None:
    given: dict[str, object] = {
        "CERT_PASSWORD": "hunter2-a",
        "AUTHORITY_PASSWORD": "hunter2-d",
        "SMTP_HOST": "mail",
        "SMTP_PASSWORD": "hunter2-b",
        "SECRET_*": {"token": "hunter2-c"},
    }

    made(project, **given)
    ignition = (project / "build/shop-www.ign").read_text()
    written = [path.read_bytes() for path in (project / "build").rglob("*") if path.is_file()]
    assert b"hunter2" not in b"".join(written)
    assert b"hunter2" not in b"".join(file.content for file in carried_files(ignition))


def test_files_that_are_no_longer_rendered_are_removed(project: Path) -> None:
    overlay(project, "x", "old.conf")
    made(project)
    (project / "butane/overlays/old.conf").unlink()

    made(project)
    assert not (project / "build/shop-www/old.conf").exists()


def test_a_build_folder_that_cannot_be_written_is_named(project: Path) -> None:
    (project / "build").touch()

    with pytest.raises(DeployError, match="cannot be written"):
        made(project)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Settings]:
    for key in Settings.model_fields:
        monkeypatch.delenv(key.upper(), raising=False)
    return lambda: settings_or_ask(tmp_path, None, may_ask=True)


def test_without_a_terminal_missing_settings_are_listed(
    bare: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as empty:
        monkeypatch.setattr("sys.stdin", empty)

        with pytest.raises(SettingsError) as caught:
            bare()
    assert caught.value.missing == ("PROJECT", "IMAGE", "CERT_NAMES")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Somebody at a terminal who types some lines."""
    outer, inner = os.openpty()
    with os.fdopen(inner) as keys, os.fdopen(os.dup(inner), "w") as screen:

        def types(text: str) -> None:
            monkeypatch.setattr("sys.stdin", keys)
            monkeypatch.setattr("sys.stdout", screen)
            os.write(outer, text.encode())

        yield types
        monkeypatch.undo()
    os.close(outer)


def test_missing_settings_are_asked_for_and_written_to_the_file(
    bare: Callable[[], Settings], tmp_path: Path, terminal: Callable[[str], None]
) -> None:
    (tmp_path / ".env").write_text("# mine\nPROJECT=\nNAME=blue")
    terminal("shop\nlocalhost/shop:1\nshop.example.org\n")

    given = bare()
    assert (given.app, given.cert_names) == ("shop-blue", ("shop.example.org",))
    assert (tmp_path / ".env").read_text() == (
        "# mine\nNAME=blue\nPROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\n"
    )
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert bare() == given


def test_a_wrong_answer_is_refused_and_not_written(
    bare: Callable[[], Settings], tmp_path: Path, terminal: Callable[[str], None]
) -> None:
    terminal("NO!\nlocalhost/shop:1\nshop.example.org\n")

    with pytest.raises(SettingsError, match='your answer: PROJECT is "NO!"'):
        bare()
    assert not (tmp_path / ".env").exists()
