"""One change at a time: the next is refused, waits, or throws the holder out, on the record."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from deploy.node.script import script_text
from tests.system.project import Project

pytestmark = pytest.mark.node


@pytest.fixture
def held(serving: Project) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock by a deploy whose hook waits for a line."""
    folder = serving.folder / "hooks"
    folder.mkdir()
    hook = folder / "before-deploy"
    # The first to come waits; another deploy's hook must not.
    hook.write_text(
        "#!/bin/sh\nmkdir waiting 2>/dev/null || exit 0\nmkfifo go\necho HOLDING\nread line <go\n"
    )
    hook.chmod(0o755)
    process = serving.start("deploy", "--force")
    assert process.stdout is not None
    assert any("HOLDING" in line for line in process.stdout)
    yield process
    if process.poll() is None:
        release(serving)
    process.wait(60)
    process.stdout.close()
    hook.unlink()
    folder.rmdir()
    (serving.folder / "go").unlink()
    (serving.folder / "waiting").rmdir()


def release(project: Project) -> None:
    (project.folder / "go").write_text("go\n")


def test_a_second_change_is_refused_and_told_who_holds_the_lock(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    said = serving.fab("prune")

    assert said.code == 1
    assert "is being changed by" in said.out
    assert "(deploy, since 20" in said.out
    assert "--wait SECONDS" in said.out


@pytest.mark.slow
def test_a_change_that_waits_begins_when_the_other_has_ended(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    with serving.start("deploy", "--wait", "60", ENV_GREETING="waited") as waiting:
        assert waiting.stdout is not None
        assert any("waiting up to" in line for line in waiting.stdout)
        release(serving)
        rest = waiting.stdout.read()

    assert held.wait(60) == 0
    assert waiting.returncode == 0, rest
    assert "serves release" in rest
    serving.must("deploy")


def test_unlocking_ends_the_holders_connection_and_is_written_down(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    said = serving.must("unlock", "--reason", "went on holiday")

    line = json.loads(serving.must("audit", "--json"))["lines"][-1]
    assert "(deploy, since 20" in said
    assert "holder was " in said
    assert line["what"] == "unlock"
    assert "broke the lock of" in line["detail"]
    assert "went on holiday" in line["detail"]
    serving.must("deploy", "--force")
    release(serving)
    assert held.stdout is not None
    rest = held.stdout.read()
    assert held.wait(60) == 1
    assert "the connection to" in rest


def test_unlocking_ends_no_process_that_holds_another_file_of_the_same_name(
    serving: Project, held: subprocess.Popen[str]
) -> None:
    """In a mount namespace of its own, a container or a user can make a file of any name."""
    hold = (
        "mount -t tmpfs none /run/corefab && exec 9>/run/corefab/$0.lock && flock 9"
        " && systemd-notify --ready && exec sleep infinity"
    )
    serving.ssh(
        "systemd-run -q --collect --unit=decoy -p Type=notify -p NotifyAccess=all"
        f" unshare --mount bash -c '{hold}' {serving.settings['PROJECT']}-www"
    )
    try:
        serving.must("unlock", "--reason", "went on holiday")

        assert serving.ssh("systemctl is-active decoy || true").strip() == "active"
    finally:
        serving.ssh("systemctl stop decoy")


def test_unlocking_wants_a_reason_and_a_lock_that_is_held(serving: Project) -> None:
    refused = serving.fab("unlock")

    assert refused.code == 1
    assert "reason" in refused.out
    assert "is not locked" in serving.must("unlock", "--reason", "to be sure")


def test_no_user_of_the_node_can_hold_a_lock(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    serving.must("deploy", "--force")

    found = serving.ssh(
        "stat -c %a /run/corefab; cd /run/corefab; "
        "find . -type f -regex '.*[.]\\(lock\\|work\\|door\\)' -printf '%f %m\\n'"
    )
    locks = dict(line.split() for line in found.splitlines()[1:])
    tried = serving.ssh(
        f"for name in {' '.join(locks)}; do runuser -u nobody -- flock -n /run/corefab/$name true "
        "&& echo held; done 2>&1 || true"
    )

    assert found.splitlines()[0] == "711"
    assert {f"{app}.lock", f"{app}.work", f"{app}.door"} <= locks.keys()
    assert set(locks.values()) == {"600"}
    assert "held" not in tried
    assert "Permission denied" in tried


def test_a_lock_whose_holder_wrote_nothing_is_broken_too(serving: Project) -> None:
    lock = f"/run/corefab/{serving.settings['PROJECT']}-www.lock"
    serving.ssh(
        f": >{lock}; systemd-run -q --unit=holder -p StandardInput=file:{lock} --uid=core "
        f"bash -c 'flock 0; exec sleep 600'; until ! flock -n {lock} true; do sleep 0.1; done"
    )

    refused = serving.fab("prune")
    said = serving.must("unlock", "--reason", "unknown")

    assert refused.code == 1
    assert "core sleep (not a command of fab" in refused.out
    assert "core sleep (not a command of fab" in said
    serving.must("prune")


def test_a_script_that_waits_for_another_names_it_when_its_time_is_over(serving: Project) -> None:
    app = serving.settings["PROJECT"] + "-www"
    work = f"/run/corefab/{app}.work"
    text = script_text("prune").replace(" 900", " 1")

    said = serving.ssh(
        f"systemd-run -q --unit=holder flock {work} sleep 600; "
        f"until ! flock -n {work} true; do sleep 0.1; done\n"
        f"text=$(cat <<'SCRIPT'\n{text}\nSCRIPT\n)\n"
        f'bash -c "$text" prune {app} 2>&1 || true; systemctl stop holder; '
        "journalctl --sync; journalctl -q -o cat -t corefab -n 1"
    )

    assert f"waited 1 s: {work} is locked by process " in said
    assert "root sleep" in said
    assert f"waiting up to 1 s: {work} is locked by process " in said


def test_another_user_cannot_open_the_locks_of_podman(serving: Project) -> None:
    said = serving.ssh(
        "setpriv --reuid 12345 --regid 12345 --clear-groups"
        " head -c 1 /var/lib/containers/storage/storage.lock 2>&1 || true"
    )

    assert "Permission denied" in said
