"""What an app's updater is made of, as it is read."""

from pathlib import Path

import pytest

from certs.detached import public_key, public_pem
from certs.errors import CertError
from certs.keyfile import new_key
from deploy.errors import DeployError
from deploy.node.script import script_text
from deploy.project import Project
from deploy.spec.plan.pull import PullFiles
from deploy.spec.pull_files import read_pull_files
from tests.unit.deploy.examples import settings

TAG = "registry.example.org/shop/www:live"


def project(folder: Path, **values: object) -> Project:
    return Project(folder, settings(**{"PULL": TAG, "PULL_KEYS": "a.pub"} | values))


def test_an_app_that_follows_no_tag_needs_no_key(tmp_path: Path) -> None:
    assert read_pull_files(project(tmp_path, PULL="")) == PullFiles()
    assert read_pull_files(project(tmp_path, PULL_MODE="off")) == PullFiles()


def test_scripts_keys_and_the_root_are_read(tmp_path: Path) -> None:
    pem = public_pem(public_key(new_key()))
    (tmp_path / "a.pub").write_bytes(pem)
    (tmp_path / "root.pem").write_bytes(b"ROOT")

    found = read_pull_files(project(tmp_path, PULL_ROOT="root.pem"))

    assert (found.keys, found.root) == ((pem,), b"ROOT")
    first, _, own = found.scripts["start.sh"].partition(b"\n")
    assert first == b'. "${0%/*}/lib.sh"'
    assert script_text("start").encode().endswith(own)
    assert found.scripts["lib.sh"].count(b"\nhome_of() {") == 1


def test_a_missing_key_is_named_with_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"a\.pub, which is not there") as caught:
        read_pull_files(project(tmp_path))
    assert "fab publish-key" in caught.value.hint


def test_without_a_key_nothing_is_followed(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="any image"):
        read_pull_files(project(tmp_path, PULL_KEYS=()))


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text("hello")

    with pytest.raises(CertError, match=r"a\.pub"):
        read_pull_files(project(tmp_path))
