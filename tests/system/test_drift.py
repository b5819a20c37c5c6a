"""A node that is no longer as it was made is found out, and brought in line without a lock-out."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.drift import act as drift_act
from deploy.node.file import File, pack
from deploy.node.login import connect
from deploy.node.target import Target
from deploy.spec.plan.act import Act
from tests.system.conftest import booted
from tests.system.project import Project

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Deploy to a node of this module: other tests change the keys that log in to theirs."""
    with booted(tmp_path_factory.mktemp("drift"), f"drift{os.getpid()}") as made:
        made.must("deploy", "--first")
        yield made


BY_HAND = """
echo '# by hand' >>/etc/containers/systemd/APP-blue.container
chmod 600 /etc/containers/systemd/APP.network
echo 'net.ipv4.tcp_syncookies = 0' >>/etc/sysctl.d/90-corefab.conf
chown core /etc/zincati/config.d/55-corefab.toml
rm /etc/systemd/journald.conf.d/50-corefab.conf
nft add element inet corefab tcp_ports { 9999 }
echo changed >/var/lib/APP/current/files/index.html
useradd --create-home --shell /bin/bash mallory
echo 'ssh-ed25519 AAAAmallory mallory@there' >>/home/core/.ssh/authorized_keys.d/ignition
echo 'ssh-ed25519 AAAAeve eve@there' >>/home/core/.ssh/authorized_keys
echo 0 >/proc/sys/net/ipv4/tcp_syncookies
systemctl -q disable corefab-firewall.service
image=$(podman inspect --format '{{.Image}}' SLOT)
podman run -d --name APP-debug --entrypoint /usr/bin/python3 "$image" \
  -c 'import time; time.sleep(900)' >/dev/null
install -d /etc/systemd/system/APP-blue.service.d
printf '[Service]\\nRestart=no\\n' >/etc/systemd/system/APP-blue.service.d/x.conf
cd /var/lib/APP/current/credentials && cp smtp_pass api_token
"""
UNDONE_BY_HAND = """
podman rm -f -t 0 APP-debug >/dev/null
rm -r /etc/systemd/system/APP-blue.service.d
userdel --remove mallory 2>/dev/null
rm /home/core/.ssh/authorized_keys
"""
EXPECTED = {
    ("file", "/etc/containers/systemd/APP-blue.container", "fab deploy"),
    ("mode", "/etc/containers/systemd/APP.network", "fab deploy"),
    ("file", "/etc/sysctl.d/90-corefab.conf", "fab converge"),
    ("owner", "/etc/zincati/config.d/55-corefab.toml", "fab converge"),
    ("file", "/etc/systemd/journald.conf.d/50-corefab.conf", "fab converge"),
    ("project file", "index.html", "fab deploy --force"),
    ("user", "mallory", "reinstall"),
    ("key", "core: ssh-ed25519 AAAAmallory mallory@there", "fab converge"),
    ("key", "core: ssh-ed25519 AAAAeve eve@there", "by hand"),
    ("sysctl", "net.ipv4.tcp_syncookies", "fab converge"),
    ("unit", "corefab-firewall.service", "fab converge"),
    ("container", "APP-debug", "by hand"),
    ("unit", "/etc/systemd/system/APP-blue.service.d/x.conf", "by hand"),
    ("credential", "api_token", "fab deploy"),
}


def app_of(project: Project) -> str:
    return project.settings["PROJECT"] + "-www"


def findings(project: Project) -> set[tuple[str, str, str]]:
    report = json.loads(project.fab("drift", "--json").out)
    return {(one["what"], one["subject"], one["remedy"]) for one in report["findings"]}


@pytest.mark.core
def test_an_unchanged_node_has_no_drift(serving: Project) -> None:
    said = serving.fab("drift")

    assert said.code == 0, said.out
    assert "matches its machine spec and release" in said.out
    assert "nothing to do" in serving.must("converge", "--yes")


def test_the_node_has_the_hash_of_its_spec_and_the_workstation_the_rest(serving: Project) -> None:
    sha256 = serving.ssh("cat /etc/corefab/spec").strip()
    kept = serving.folder / f"state/specs/{sha256}.ign"

    assert kept.read_bytes() == (serving.folder / f"build/{app_of(serving)}.ign").read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_was_changed_by_hand_is_listed_with_what_fixes_it(serving: Project) -> None:
    app = app_of(serving)
    serving.ssh(BY_HAND.replace("APP", app).replace("SLOT", serving.container()))

    said = serving.fab("drift", "--json")

    listed = json.loads(said.out)["findings"]
    found = {(one["what"], one["subject"], one["remedy"]) for one in listed}
    assert said.code == 2
    # Other apps of the node have ports too: of the firewall's lines, the one by hand counts.
    rules = {one for one in found if one[0] == "firewall"}
    assert any("9999" in at and by == "fab converge" for _, at, by in rules)
    assert found - rules == {(what, at.replace("APP", app), by) for what, at, by in EXPECTED}
    edited = next(one for one in listed if one["subject"].endswith(f"{app}-blue.container"))
    assert edited["since"] is not None
    assert edited["expected"] != edited["found"]

    converged = serving.fab("converge", "--yes")
    assert converged.code == 2, "a user and a key are left to other means"
    assert {by for _, _, by in findings(serving)}.isdisjoint({"fab converge"})
    serving.must("deploy", "--force")
    assert {by for _, _, by in findings(serving)} == {"by hand", "reinstall"}
    serving.ssh(UNDONE_BY_HAND.replace("APP", app))
    assert serving.fab("drift").code == 0


@pytest.mark.core
def test_a_changed_spec_is_applied_and_what_only_the_old_one_brought_removed(
    serving: Project,
) -> None:
    overlay = serving.folder / "butane/overlays/motd.bu"
    overlay.write_text(
        "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /etc/motd.d/corefab\n"
        "      mode: 0640\n      contents:\n        inline: hello\n"
        "systemd:\n  units:\n    - name: corefab-trial.service\n      enabled: true\n"
        "      contents: |\n        [Service]\n        Type=oneshot\n        RemainAfterExit=yes\n"
        "        ExecStart=/usr/bin/true\n        [Install]\n        WantedBy=multi-user.target\n"
    )
    active = "systemctl is-active corefab-trial.service || true"
    shown = serving.fab("converge")
    serving.must("converge", "--yes")
    there = serving.ssh(f"stat -c %a /etc/motd.d/corefab; cat /etc/motd.d/corefab; {active}")
    overlay.unlink()
    serving.must("converge", "--yes")

    assert shown.code == 1
    assert "file /etc/motd.d/corefab: absent -> file" in shown.out
    assert "--yes" in shown.out
    assert there == "640\nhelloactive\n"
    left = "ls /etc/motd.d/corefab /etc/systemd/system/corefab-trial.service 2>/dev/null || true"
    assert serving.ssh(f"{left}; {active}") == "inactive\n"
    assert serving.fab("drift").code == 0


IMPOSSIBLE = """\
variant: fcos
version: 1.5.0
storage:
  directories: [{path: /etc/trial-file}]
  links: [{path: /etc/trial-folder, target: /etc/passwd}]
  files:
    - {path: /etc/trial-owner, user: {name: nemo}, contents: {inline: a}}
    - {path: /proc/trial, contents: {inline: a}}
    - path: /etc/trial-fetched
      contents: {source: "https://example.org/x", verification: {hash: sha512-HASH}}
    - {path: /etc/issue, append: [{inline: more}]}
    - {path: /etc/trial-good, contents: {inline: good}}
systemd:
  units:
    - {name: trial-nothing.service, enabled: true}
    - {name: trial-masked.service, mask: true}
"""
REFUSED = (
    "not done: folder /etc/trial-file: ",
    "not done: link /etc/trial-folder: ",
    "not done: file /etc/trial-owner: chown: invalid user",
    "not done: file /proc/trial: ",
    "not done: enable trial-nothing.service: ",
    "not fixed by this command: file /etc/trial-fetched: absent",
    "not fixed by this command: file /etc/issue: as its old spec says, not as the settings say",
)


def test_what_a_convergence_cannot_do_is_listed_and_the_rest_is_done(serving: Project) -> None:
    overlay = serving.folder / "butane/overlays/impossible.bu"
    serving.ssh("touch /etc/trial-file; mkdir -p /etc/trial-folder/full")
    overlay.write_text(IMPOSSIBLE.replace("HASH", "0" * 128))

    said = serving.fab("converge", "--yes")

    assert said.code == 2
    assert [one for one in REFUSED if one not in said.out] == []
    masked = "systemctl is-enabled trial-masked.service || true"
    assert serving.ssh(f"cat /etc/trial-good; {masked}") == "goodmasked\n"
    overlay.unlink()
    serving.fab("converge", "--yes")
    assert serving.ssh("ls /etc/trial-good 2>/dev/null || true") == ""
    serving.ssh("rm -rf /etc/trial-file /etc/trial-folder")
    assert serving.fab("drift").code == 0


@pytest.mark.core
def test_a_convergence_that_locks_the_operator_out_is_undone(
    serving: Project, tmp_path: Path
) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True
    )
    keys = "cat /home/core/.ssh/authorized_keys.d/ignition /etc/corefab/spec"
    before = serving.ssh(keys)

    said = serving.fab("converge", "--yes", SSH_KEYS=str(tmp_path / "other.pub"))

    assert said.code == 1
    assert "does not let core in" in said.out
    assert "all changes on the node were undone" in said.out
    assert serving.ssh(keys) == before
    line = json.loads(serving.must("audit", "--json"))["lines"]
    assert [one["what"] for one in line[-2:]] == ["converge put back", "converge"]
    assert line[-1]["result"] == "failed"
    assert serving.fab("drift").code == 0


def test_without_a_new_login_the_node_undoes_the_changes_itself(serving: Project) -> None:
    act = Act(word="file", subject="/etc/corefab/trial", mode="644", owner="root:root")
    archive = pack([File("acts", f"{act.line}\n".encode()), File("new/etc/corefab/trial", b"x")])
    target = Target(
        *(serving.node.address, None, "core", serving.folder / "id"),
        serving.folder / "certs/known_hosts",
    )
    with connect(target, None) as remote:
        assert remote.run(drift_act.converge("ab12", 1, archive)).code == 0

    serving.ssh(
        "while [ -e /etc/systemd/system/corefab-put-back.timer ]; do sleep 0.2; done\n"
        "[ ! -e /etc/corefab/trial ]\n"
    )
    assert serving.fab("drift").code == 0
