"""The coreos-installer of the workstation is found, and reads its inputs from memory."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.media.local_installer import find_installer, run_installer


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of tools, and a PATH without programs."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/corefab/tools"


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_given_program_comes_first_then_path_then_the_newest_built_one(
    cache: Path, tmp_path: Path
) -> None:
    program(cache / "coreos-installer-0.26.0/bin/coreos-installer")
    built = program(cache / "coreos-installer-0.27.0/bin/coreos-installer")
    assert find_installer() == built

    on_path = program(tmp_path / "bin/coreos-installer")
    assert find_installer() == on_path

    given = program(tmp_path / "mine")
    assert find_installer(str(given)) == given


def test_without_a_program_the_ways_to_get_one_are_listed(cache: Path) -> None:
    assert not cache.exists()
    with pytest.raises(DeployError, match="coreos-installer is not installed") as refused:
        find_installer()

    assert "make installer" in refused.value.hint


@pytest.mark.program
def test_inputs_are_read_from_memory_and_are_in_no_argument(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    installer = program(
        tmp_path / "installer", '#!/bin/sh\necho "$1" >"$2.words"; cat "$1" >"$2"\n'
    )

    run_installer(installer, ("{live}", str(copy)), {"live": b"private key"}, doing="a test")

    assert copy.read_bytes() == b"private key"
    assert (tmp_path / "copy.words").read_text().startswith("/proc/self/fd/")
