"""Project resolves every path of the operator's folder."""

from pathlib import Path

from deploy.project import Project
from tests.unit.deploy.examples import settings


def test_a_tilde_in_known_hosts_and_identity_file_means_the_home_folder(tmp_path: Path) -> None:
    given = settings(KNOWN_HOSTS="~/pins", IDENTITY_FILE="~/.ssh/id")
    project = Project(tmp_path, given)

    assert project.known_hosts == Path.home() / "pins"
    assert project.identity == Path.home() / ".ssh/id"


def test_relative_paths_start_in_the_operators_folder(tmp_path: Path) -> None:
    project = Project(tmp_path, settings(IDENTITY_FILE="id", PROJECT_FILES="www"))

    assert project.identity == tmp_path / "id"
    assert project.files == tmp_path / "www"
    assert project.known_hosts == tmp_path / "certs/known_hosts"


def test_an_absolute_path_stays_as_it_is(tmp_path: Path) -> None:
    project = Project(tmp_path, settings(IDENTITY_FILE="/keys/id"))

    assert project.identity == Path("/keys/id")


def test_an_unset_setting_has_no_path(tmp_path: Path) -> None:
    project = Project(tmp_path, settings())

    assert project.identity is None
    assert project.files is None


def test_the_operators_files_are_in_the_folder(tmp_path: Path) -> None:
    project = Project(tmp_path, settings())

    assert project.media == tmp_path / "build/media"
