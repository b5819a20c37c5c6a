"""SSH keys are replaced on a node, and an interruption never locks the operator out."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.node.host_key import KINDS
from tests.system.project import SSHD_LOG, Project

pytestmark = pytest.mark.node

ROTATION = (
    "new key made",
    "new key added beside the old",
    "new key logs in",
    "holds the new key",
    "old key retired from later machine specs",
    "old key removed",
)
HOST_KEYS = (
    "new host keys made",
    "new keys pinned beside the old",
    "new keys announced",
    "old keys removed",
    "new login with a pinned key",
)


@pytest.fixture(scope="module", autouse=True)
def forgiving(deployed: Project) -> Iterator[None]:
    """Have sshd take no offence at the failed logins that follow each other here."""
    drop_in = "/etc/ssh/sshd_config.d/00-forgiving.conf"
    deployed.ssh(f"echo PerSourcePenalties no >{drop_in}; systemctl restart ssh")
    yield
    deployed.ssh(f"rm {drop_in}; systemctl restart ssh")


def kill_after(project: Project, line: str, *words: str) -> str:
    """Start fab, and kill it with all it started as soon as it has said a line."""
    running = project.start(*words)
    said = []
    assert running.stdout
    for text in running.stdout:
        said.append(text)
        if line in text:
            break
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    return "".join(said)


def logs_in(project: Project, identity: Path, *options: str) -> bool:
    """Tell whether OpenSSH gets in with a key and no other."""
    pins = project.folder / "certs/known_hosts"
    words = ("-F", "none", "-o", f"UserKnownHostsFile={pins}", "-o", "BatchMode=yes")
    alone = ("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i", str(identity))
    host = f"core@{project.node.address}"
    command = ["ssh", *words, *alone, *options, host, "true"]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def blob(public: Path) -> str:
    return public.read_text().split()[1]


def let_in(project: Project) -> list[dict[str, str]]:
    return list(json.loads(project.must("access-list", "--json"))["keys"])


def written_down(project: Project, what: str) -> list[dict[str, str]]:
    """Read what the node's journal of changes says of one verb."""
    lines = json.loads(project.must("audit", "--lines", "200", "--json"))["lines"]
    return [line for line in lines if line["what"] == what and line["app"] == "node"]


@pytest.mark.core
def test_a_rotation_killed_at_every_step_keeps_a_login_and_is_finished(
    serving: Project,
) -> None:
    identity = serving.folder / "id"
    first = blob(serving.folder / "id.pub")
    assert first in serving.ssh("cat ~core/.ssh/authorized_keys.d/*")

    for line in ROTATION:
        said = kill_after(serving, line, "cert-rotate-ssh")
        assert line in said or "going on with" in said, said
        assert logs_in(serving, identity), line
    serving.must("cert-rotate-ssh")

    assert logs_in(serving, identity)
    assert not logs_in(serving, serving.folder / "id.retired")
    found = serving.ssh("cat ~core/.ssh/authorized_keys.d/* ~core/.ssh/authorized_keys || true")
    assert first not in found
    assert len(let_in(serving)) == 1
    spec = next((serving.folder / "build").glob("*-www.bu")).read_text()
    assert blob(serving.folder / "id.pub") in spec
    assert first not in spec
    lines = [line["detail"] for line in written_down(serving, "cert-rotate-ssh")]
    assert any("added: SHA256:" in line for line in lines)
    assert lines[-1].endswith(" removed")


def test_a_key_of_the_operators_own_is_taken(serving: Project, tmp_path: Path) -> None:
    given = tmp_path / "given"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", given], check=True)

    serving.must("cert-rotate-ssh", "--key", str(given), "--days", "300")

    assert (serving.folder / "id").read_bytes() == given.read_bytes()
    (only,) = let_in(serving)
    assert only["expires"]
    assert only["kind"] == "ecdsa-sha2-nistp256"


def test_people_come_and_go_and_the_last_one_stays(serving: Project, tmp_path: Path) -> None:
    ann = tmp_path / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ann], check=True)

    serving.must("access-add", "ann", "--key", f"{ann}.pub", "--days", "3")
    assert logs_in(serving, ann)
    assert {one["person"] for one in let_in(serving)} >= {"ann"}

    serving.must("access-remove", "ann")
    assert not logs_in(serving, ann)
    serving.must("access-add", "me", "--key", str(serving.folder / "id.pub"))
    said = serving.fab("access-remove", "me")
    assert said.code == 1
    assert "the ones that you log in with" in said.out
    for verb, words in (
        ("access-add", "ann added"),
        ("access-remove", "ann removed"),
    ):
        told = [line["detail"] for line in written_down(serving, verb)]
        assert any(detail.startswith(f"{words}: SHA256:") for detail in told), told
    assert "has no keys of 'eve'" in serving.fab("access-remove", "eve").out


def test_an_expired_key_does_not_log_in(serving: Project, tmp_path: Path) -> None:
    late = tmp_path / "late"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", late], check=True)
    file = "~core/.ssh/authorized_keys.d/late"
    public = Path(f"{late}.pub").read_text().strip()

    serving.ssh(f"echo 'expiry-time=\"209901010000Z\" {public}' >{file}")
    assert logs_in(serving, late)
    serving.ssh(f"echo 'expiry-time=\"202001010000Z\" {public}' >{file}")
    assert not logs_in(serving, late)

    serving.ssh(f"rm {file}")


def test_a_signed_key_lets_a_person_in_for_a_while(serving: Project, tmp_path: Path) -> None:
    eve = tmp_path / "eve"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", eve], check=True)
    assert not logs_in(serving, eve)

    serving.must("access-sign", "eve", "--key", f"{eve}.pub", "--hours", "1")

    assert logs_in(serving, eve)
    assert "eve" in serving.ssh(f"{SSHD_LOG} | grep 'ID eve'")
    assert written_down(serving, "access-sign")[-1]["result"] == "ok"
    serving.must("access-remove", "authority")
    assert not logs_in(serving, eve)


@pytest.mark.slow
def test_a_removed_person_does_not_log_in_with_a_certificate_and_an_old_authority_stays_invalid(
    serving: Project, tmp_path: Path
) -> None:
    names = ("fay", "gil", "hal")
    fay, gil, hal = (tmp_path / name for name in names)
    for key in (fay, gil, hal):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    # As a machine is that an older version made.
    serving.ssh(
        "cd /etc/ssh && rm -f corefab-revoked sshd_config.d/31-corefab-revoked.conf\n"
        "systemctl restart ssh 2>/dev/null || systemctl restart sshd"
    )
    for key in (fay, gil):
        serving.must("access-sign", key.name, "--key", f"{key}.pub", "--hours", "1")
        assert logs_in(serving, key)

    said = serving.must("access-remove", "fay")

    assert "every node refuses a certificate: fay, SHA256:" in said
    assert not logs_in(serving, fay)
    assert logs_in(serving, gil)
    assert "retired key" in serving.fab("access-sign", "fay", "--key", f"{fay}.pub").out
    assert "every node refuses a certificate: gil" in serving.must("access-remove", "authority")
    assert not logs_in(serving, gil)
    serving.must("access-sign", "hal", "--key", f"{hal}.pub", "--hours", "1")
    assert logs_in(serving, hal)
    assert not logs_in(serving, gil), "the authority's key came back"
    serving.must("access-add", "fay", "--key", f"{fay}.pub")
    assert logs_in(serving, fay)
    for name in ("fay", "authority"):
        serving.must("access-remove", name)
    assert not logs_in(serving, fay)
    # Another list would be read instead of ours.
    own = "/etc/ssh/sshd_config.d/00-own.conf"
    serving.ssh(f"cp /etc/ssh/corefab-revoked /root/own && echo RevokedKeys /root/own >{own}")
    refused = serving.fab("access-add", "fay", "--key", f"{fay}.pub")
    serving.ssh(f"rm {own}")
    assert "another RevokedKeys stands before it" in refused.out


@pytest.mark.slow
def test_a_key_that_is_planted_is_listed_whatever_its_line_looks_like(
    serving: Project, tmp_path: Path
) -> None:
    evil = tmp_path / "evil"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", evil], check=True)
    kind, key, _ = Path(f"{evil}.pub").read_text().split()
    mine = (serving.folder / "id.pub").read_text().strip()
    file = "~core/.ssh/authorized_keys.d/planted"
    lines = (
        f"{kind} {key} x {mine}",
        f"{kind}\t{key}",
        f'no-pty,environment="A=\\"b c\\""\t{kind}  {key}',
        f"cert-authority {kind} {key}",
    )
    for line in lines:
        serving.ssh(f"cat >{file} <<'EOF'\n{line}\nEOF\n")
        (planted,) = (one for one in let_in(serving) if one["path"].endswith("/planted"))
        assert planted["person"] == "?"
        assert str(planted["fingerprint"]).startswith("SHA256:")
        assert logs_in(serving, evil) == (not line.startswith("cert-authority"))
        drift = json.loads(serving.fab("drift", "--json").out)["findings"]
        assert f"core: {line}" in {one["subject"] for one in drift}
    serving.ssh(f"printf 'ssh-ed25519 what\\0is this' >{file}")
    assert "not understood and may let someone log in" in serving.must("access-list")
    assert "not understood and may let someone log in" in serving.fab("cert-status").out
    serving.ssh(
        f"rm {file}; install -d -m 0700 ~/.ssh && echo {kind} {key} >~/.ssh/authorized_keys"
    )
    listed = [one for one in let_in(serving) if one["user"] == "root"]
    status = json.loads(serving.fab("cert-status", "--json").out)["access"]
    serving.ssh("rm ~/.ssh/authorized_keys")
    assert [one["person"] for one in listed] == ["?"]
    assert listed[0]["fingerprint"] in {one["fingerprint"] for one in status}


def understood(pins: str) -> set[str]:
    """Choose the lines with a key of a type that corefab and every ssh understand."""
    return {line for line in pins.splitlines() if line.split()[1] in KINDS}


def hash_names(pins: Path) -> None:
    """Hash the names with ssh-keygen; an older one refuses a file with a type it does not know."""
    lines = pins.read_text().splitlines()
    known = [line for line in lines if line in understood(pins.read_text())]
    pins.write_text("".join(f"{line}\n" for line in known))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", pins], check=True, capture_output=True)
    with pins.open("a") as file:
        file.writelines(f"{line}\n" for line in lines if line not in known)


@pytest.mark.slow
def test_the_host_keys_change_while_killed_at_every_step(serving: Project, tmp_path: Path) -> None:
    identity = serving.folder / "id"
    pins = serving.folder / "certs/known_hosts"
    before = pins.read_text()
    hash_names(pins)
    colleague = tmp_path / "known_hosts"
    colleague.write_text(before)
    theirs = ("-o", f"UserKnownHostsFile={colleague}", "-o", "UpdateHostKeys=yes")

    for line in HOST_KEYS[:3]:
        kill_after(serving, line, "host-key-rotate")
        assert logs_in(serving, identity), line
    serving.must("host-key-rotate")
    address = f"core@{serving.node.address}"
    words = ("ssh", "-F", "none", "-i", str(identity), "-o", "BatchMode=yes", *theirs, address)
    # The client has to be there still when the node has proven its other keys.
    subprocess.run([*words, "sleep 1"], check=True, capture_output=True)
    assert len(set(colleague.read_text().splitlines())) > len(before.splitlines())

    for line in HOST_KEYS[3:]:
        kill_after(serving, line, "host-key-rotate", "--finish")
        assert logs_in(serving, identity), line
        serving.fab("host-key-rotate")
        # Whichever step is missing, this one too that only forgets the change.
        assert "fab host-key-rotate --finish" in serving.fab("cert-status").out, line
    serving.must("host-key-rotate", "--finish")
    assert "fab host-key-rotate --finish" not in serving.fab("cert-status").out

    after = pins.read_text()
    assert not understood(after) & understood(before)
    assert len(after.splitlines()) == len(before.splitlines())
    lines = [line["detail"] for line in written_down(serving, "host-key-rotate")]
    assert any(line.startswith("announced: SHA256:") for line in lines)
    assert lines[-1].startswith("removed: ")
    assert "is not changing" in serving.fab("host-key-rotate", "--finish").out


def test_a_host_key_of_a_type_that_is_not_known_here_is_kept(serving: Project) -> None:
    blob = base64.b64encode(b"\0\0\0\x13ssh-mldsa99-ed25519" + bytes(1300)).decode()
    line = f"ssh-mldsa99-ed25519 {blob}"
    file = "/etc/ssh/ssh_host_mldsa99_ed25519_key"
    serving.ssh(f"echo unknown >{file}; chmod 600 {file}; echo '{line} x' >{file}.pub")
    try:
        assert "ssh-mldsa99-ed25519" in serving.fab("cert-status").out
        serving.must("host-key-rotate")
        assert line in (serving.folder / "certs/known_hosts").read_text()
        serving.must("status")
        serving.must("host-key-rotate", "--finish")
        serving.must("status")
        assert serving.ssh(f"cat {file}.pub") == f"{line} x\n"
    finally:
        serving.ssh(f"rm {file} {file}.pub")
