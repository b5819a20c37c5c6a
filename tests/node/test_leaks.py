"""Nothing secret is left anywhere by any operation, nor shown by any process on the way."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.conftest import API_TOKEN, CERT_PASSWORD, SMTP_PASSWORD
from tests.node.leaks import files_with, sampled
from tests.node.project import Project

pytestmark = pytest.mark.node

NEW_PASSWORD, NEW_TOKEN, TYPED = (secrets.token_urlsafe(24) for _ in range(3))
WRONG = secrets.token_urlsafe(24)
PLANTED = secrets.token_urlsafe(24)
SECRETS = (CERT_PASSWORD, SMTP_PASSWORD, API_TOKEN, NEW_PASSWORD, NEW_TOKEN, TYPED, WRONG, PLANTED)


@pytest.fixture
def env(serving: Project) -> Iterator[Path]:
    """The settings file, put back as it was: it is the one place where secrets may lie here."""
    file = serving.folder / ".env"
    usual = file.read_text()
    yield file
    file.write_text(usual)
    serving.fab("cert-rotate-https", "--password-only")
    serving.must("deploy")


def change(env: Path, **values: str) -> None:
    kept = [line for line in env.read_text().splitlines() if line.partition("=")[0] not in values]
    env.write_text("\n".join([*kept, *(f"{key}={value}" for key, value in values.items())]) + "\n")


def every_operation(project: Project, env: Path, folder: Path) -> Iterator[str]:
    """Go through what there is to do with secrets, debugging on, failures among it."""

    def fab(*words: str, **settings: str) -> str:
        return project.fab(*words, TMPDIR=str(folder), **settings).out

    yield fab("--debug", "deploy", ENV_GREETING="for the leak test")
    yield fab("--debug", "cert-status", "--json")
    yield fab("creds-list", "--json")
    change(env, CERT_PASSWORD=NEW_PASSWORD, CERT_PASSWORD_OLD=WRONG)
    yield fab("--debug", "cert-rotate-https", "--password-only")
    change(env, CERT_PASSWORD_OLD=CERT_PASSWORD)
    yield fab("--debug", "cert-rotate-https", "--password-only")
    yield fab("--debug", "cert-rotate-https")
    yield fab("cert-rotate-https", HEALTH_PATH="/nowhere", HEALTH_TIMEOUT_SECONDS="1")
    yield fab("cert-restore")
    yield fab("--debug", "cert-renew", "--force", RELOAD_SIGNAL="")
    change(env, SECRET_API_TOKEN=NEW_TOKEN)
    yield fab("--debug", "creds-rotate", "api_token")
    change(env, SECRET_API_TOKEN=WRONG)
    yield fab("creds-rotate", "api_token", HEALTH_PATH="/nowhere", HEALTH_TIMEOUT_SECONDS="1")
    change(env, SECRET_API_TOKEN=NEW_TOKEN, SECRET_TYPED="")
    value = folder.with_name("typed")
    value.write_text(TYPED)
    yield fab("--debug", "creds-set", "typed", "--file", str(value))
    value.unlink()
    yield fab("--debug", "creds-seal")
    yield fab("access-list", "--json")
    change(env, CERT_PASSWORD=CERT_PASSWORD, CERT_PASSWORD_OLD=NEW_PASSWORD)
    yield fab("cert-rotate-https", "--password-only")


def test_no_operation_leaves_or_shows_a_secret_and_a_planted_one_is_found(
    serving: Project, env: Path, tmp_path: Path
) -> None:
    app = serving.settings["PROJECT"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with sampled(SECRETS) as seen:
        said = list(every_operation(serving, env, temporary))

    journal = serving.ssh("journalctl -q --no-pager -o verbose --all")
    inspected = serving.ssh(
        f"podman inspect $(podman ps --format '{{{{.Names}}}}' | grep {app}); podman history "
        f"$(podman ps --format '{{{{.Image}}}}' | grep {app} | head -n 1) --no-trunc"
    )
    texts = {"output": "".join(said), "journal": journal, "inspect": inspected}
    assert {name for name, text in texts.items() if holds(text)} == set()
    assert seen.found == set()
    assert seen.looks > 100
    histories = [path for path in Path.home().glob(".*_history") if path.is_file()]
    places = (serving.node.tree, serving.folder, temporary, *histories)
    found = files_with(SECRETS, *places, scratch=tmp_path)
    assert [path for path in found if path != str(env)] == []
    assert "not healthy" in texts["output"], "failures were among it"
    assert texts["output"].count("Traceback") == 0
    control(serving, tmp_path)


def holds(text: str) -> bool:
    return any(secret in text for secret in SECRETS)


def control(project: Project, scratch: Path) -> None:
    """Plant a secret in each kind of place: the search has to find every one."""
    wait = ["-c", "import sys; sys.stdin.read()"]
    with sampled(SECRETS) as seen:
        shown = {**os.environ, "PLANTED": PLANTED}
        for words, environment in (([*wait, PLANTED], None), (wait, shown)):
            process = subprocess.Popen(
                [sys.executable, *words], stdin=subprocess.PIPE, env=environment
            )
            before = seen.looks
            while seen.looks < before + 2:
                assert process.poll() is None
            process.communicate()
    assert {word.partition(":")[0] for word in seen.found} == {"cmdline", "environ"}

    file = "/var/lib/corefab/planted"
    project.ssh(f"echo 'x{PLANTED}y' | tee {file} | systemd-cat -t planted; journalctl --sync")
    found = files_with(SECRETS, project.node.tree, scratch=scratch)
    assert str(project.node.tree / file.removeprefix("/")) in found
    assert holds(project.ssh("journalctl -q --no-pager -t planted"))
    project.ssh(f"rm {file}; journalctl -q --rotate; journalctl -q --vacuum-time=1s")
