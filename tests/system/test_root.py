"""Root follows nothing that a container or a user planted, whichever script runs."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.node.command import Command
from deploy.node.login import connect
from deploy.node.remote import Result
from deploy.node.script import LIBRARIES, script_text, scripts
from deploy.node.target import Target
from tests.system.conftest import CERT_PASSWORD, booted
from tests.system.project import Project

pytestmark = pytest.mark.node

SECRET = "it-is-for-root-alone"
# What belongs to root, or to the user who may become root.
GUARDED = (
    "find /etc/sudoers.d /etc/shadow /root/guarded /home/core/.ssh -printf '%p %u:%g %m %s %l\\n'"
)
# They run on a live system, or serve the folder that they make (test_certificates.py), or need an
# interruption (test_faults.py), another image (test_image.py) or a proxy (test_proxy.py).
ELSEWHERE = {
    *("install-disk", "live-facts", "read-back", "restart", "stop-install", "take-config"),
    *("challenge", "guard", "undo", "certificate-undo", "load-image", "receive-image", "state"),
    *("maintenance", "proxy-certificates", "routes", "pull", "pull-status", "try-image", "bundle"),
    *("collected", "page", "otlp", "notify"),
    *("receipt-stage", "receipts", "receipts-keep"),
}
OVERLAY = """\
variant: fcos
version: 1.4.0
passwd:
  users:
    - name: ann
      ssh_authorized_keys: ["{key}"]
storage:
  directories:
    - path: /var/lib/{app}/data/uploads
      mode: 0750
      user: {{name: "{app}"}}
      group: {{name: "{app}"}}
  files:
    - path: /var/lib/{app}/data/uploads/notes
      mode: 0640
      user: {{name: "{app}"}}
      group: {{name: "{app}"}}
      contents: {{inline: hello}}
"""
PLANTS = """
cd ~ann/.ssh
ln -s /root/guarded/secret authorized_keys
mkdir -p authorized_keys.d
cd authorized_keys.d
ln -s /etc/shadow link
mkfifo fifo
truncate -s 1T sparse
ln -s /root/guarded folder
"""
# Swap folders for links to core's, as fast as can be.
SWAPS = """
cd ~ann/.ssh || exit
while :; do
  rm -rf authorized_keys.d; ln -s /home/core/.ssh/authorized_keys.d authorized_keys.d
  rm authorized_keys.d; mkdir authorized_keys.d
  mv ~ann/.ssh ~ann/.other; ln -s /home/core/.ssh ~ann/.ssh; rm ~ann/.ssh; mv ~ann/.other ~ann/.ssh
done 2>/dev/null
"""

# The app's container swaps a folder for links to folders of root.
MOVES = """
cd {data} || exit
while :; do
  mv uploads away; ln -s /root/guarded uploads; rm uploads
  ln -s /etc/sudoers.d uploads; rm uploads; mv away uploads
done 2>/dev/null
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Deploy to a node with a folder of the app's in its spec, and a user ann without groups."""
    folder = tmp_path_factory.mktemp("root")
    key = tmp_path_factory.mktemp("ann") / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with booted(folder, f"root{os.getpid()}") as made:
        made.must("deploy", "--first")
        overlay = OVERLAY.format(app=app_of(made), key=Path(f"{key}.pub").read_text().strip())
        (made.folder / "butane/overlays/ann.bu").write_text(overlay)
        made.ssh(
            f"useradd --create-home --shell /bin/bash ann; install -d -m 0700 /root/guarded; "
            f"echo {SECRET} >/root/guarded/secret; chmod 0600 /root/guarded/secret"
        )
        made.must("converge", "--yes")
        yield made


def app_of(project: Project) -> str:
    return project.settings["PROJECT"] + "-www"


def in_container(project: Project, script: str) -> None:
    """Do what the app could do, if it were taken over."""
    project.ssh(f"podman exec {project.container()} /usr/bin/python3 -c '{script}'")


def as_ann(project: Project, script: str) -> None:
    project.ssh(f"runuser -u ann -- bash -euc '{script}'")


def send(project: Project, *words: str, given: bytes = b"") -> Result:
    """Run one script of the node as `fab` does."""
    pins = project.folder / "certs/known_hosts"
    target = Target(project.node.address, None, "core", project.folder / "id", pins)
    with connect(target, None) as remote:
        return remote.run(Command(words[0], words[1:], given))


@contextmanager
def untouched(project: Project) -> Iterator[None]:
    """Hold the block to leaving what is root's as it was."""
    before = project.ssh(GUARDED)
    yield
    assert project.ssh(GUARDED) == before


def test_a_link_in_the_apps_folder_is_not_followed_by_a_convergence(node: Project) -> None:
    place = f"/var/lib/{app_of(node)}/data/uploads"
    in_container(
        node,
        'import os; os.rename("/data/uploads", "/data/away"); '
        'os.symlink("/etc/sudoers.d", "/data/uploads")',
    )

    with untouched(node):
        said = node.fab("converge", "--yes")
        assert said.code == 2
        assert f"not done: folder {place}" in said.out
        assert f"the rights of user {app_of(node)}" in said.out

    in_container(
        node, 'import os; os.unlink("/data/uploads"); os.rename("/data/away", "/data/uploads")'
    )
    assert node.fab("drift").code == 0


def test_a_file_of_the_app_itself_is_not_installed_below_a_folder_of_the_container(
    node: Project,
) -> None:
    template = node.folder / "butane/templates/app.bu"
    usual = template.read_text()
    more = "\n    - path: /var/lib/@APP@/data/links/planted\n      contents: {inline: planted}\n"
    template.write_text(usual.rstrip() + more)
    in_container(node, 'import os; os.symlink("/etc/sudoers.d", "/data/links")')

    try:
        with untouched(node):
            said = node.fab("deploy")
    finally:
        template.write_text(usual)
        node.ssh("rm -f /etc/sudoers.d/planted")
        in_container(node, 'import os; os.unlink("/data/links")')

    assert said.code == 1
    assert f"/var/lib/{app_of(node)}/data/links/planted" in said.out
    assert "nothing to do" in node.must("deploy")


def test_keys_in_files_with_odd_names_are_removed(node: Project, tmp_path: Path) -> None:
    key = tmp_path / "mallory"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    line = Path(f"{key}.pub").read_text().strip()
    node.must("access-add", "mallory", "--key", f"{key}.pub")
    for name in (b"n" * 255, b"-n", b"a\nb", b"\xff\x1b]0;x", b"a|b\tc", b" "):
        quoted = "".join(f"\\x{byte:02x}" for byte in name)
        node.ssh(
            "cd ~core/.ssh/authorized_keys.d; "
            f"printf '{line}\\n# left\\n' >./$'{quoted}'; chown core ./*"
        )
    drift = node.fab("drift").out

    try:
        node.must("access-remove", "mallory")
        assert node.ssh(f"grep -rF '{line.split()[1]}' ~core/.ssh || true") == ""
    finally:
        node.ssh("find ~core/.ssh/authorized_keys.d -type f ! -name ignition -delete")
    assert "a\\nb" in drift


def test_what_the_app_may_do_in_its_folder_is_put_right(node: Project) -> None:
    place = f"/var/lib/{app_of(node)}/data/uploads"
    in_container(
        node,
        'import os; os.chmod("/data/uploads", 0o777); os.unlink("/data/uploads/notes"); '
        'os.mkfifo("/data/uploads/notes")',
    )

    node.must("converge", "--yes")

    assert node.ssh(f"stat -c '%a %U' {place}; cat {place}/notes") == f"750 {app_of(node)}\nhello"
    assert node.fab("drift").code == 0


def test_the_keys_of_a_user_are_not_written_to_another_user(node: Project) -> None:
    as_ann(node, "cd ~/.ssh; rm -r authorized_keys.d; ln -s /home/core/.ssh/authorized_keys.d .")

    with untouched(node):
        said = node.fab("converge", "--yes")
        assert said.code == 2
        assert "not done: keys of ann" in said.out
        assert "authorized_keys.d/ignition" in said.out
        assert "the rights of user ann" in said.out

    as_ann(node, "rm ~/.ssh/authorized_keys.d")
    node.must("converge", "--yes")
    assert node.ssh("stat -c '%U %a' ~ann/.ssh/authorized_keys.d/ignition") == "ann 600\n"


@pytest.mark.slow
def test_a_race_of_links_leads_nowhere(node: Project) -> None:
    node.ssh(f"systemd-run -q --unit=swaps --uid=ann bash -c '{SWAPS}'")
    line = "ssh-ed25519 AAAA race\\n"
    runs = f"for _ in $(seq 60); do printf '{line}' | bash -c \"$text\" access-add ann race; done"

    with untouched(node):
        said = node.ssh(
            f"text=$(cat <<'SCRIPT'\n{script_text('access-add')}\nSCRIPT\n)\n"
            f"({runs}) 2>&1 || true\nsystemctl stop swaps",
            seconds=240,
        )

    assert "no key arrived" not in said
    node.ssh("rm -rf ~ann/.ssh ~ann/.other")
    node.must("converge", "--yes")


@pytest.mark.slow
def test_no_script_of_root_follows_reads_or_waits_for_what_others_planted(
    node: Project, tmp_path: Path
) -> None:
    as_ann(node, PLANTS.replace("~ann", "~"))
    in_container(
        node,
        'import os; os.symlink("/root/guarded", "/data/guarded"); os.mkfifo("/data/fifo"); '
        'os.rename("/data/uploads", "/data/away"); os.symlink("/root/guarded", "/data/uploads")',
    )
    since = node.ssh("date +%s").strip()

    with untouched(node):
        said = "".join(every_script(node, tmp_path))

    assert SECRET not in said
    assert "root:$" not in said
    logged = node.ssh(f"journalctl -q -o cat --since=@{since} SYSLOG_IDENTIFIER=sudo")
    ran = {name for name in scripts() if re.search(rf"eval \S+ {name}( |$)", logged, re.MULTILINE)}
    assert scripts().keys() - LIBRARIES - ELSEWHERE - ran == set()


@pytest.mark.slow
def test_no_script_of_root_is_led_elsewhere_by_a_race(node: Project, tmp_path: Path) -> None:
    node.ssh(
        "rm -rf ~ann/.ssh ~ann/.other; runuser -u ann mkdir ~ann/.ssh; "
        f"cd /var/lib/{app_of(node)}/data && rm -rf guarded fifo uploads away && "
        f"install -d -o {app_of(node)} uploads; "
        f"systemd-run -q --unit=swaps --uid=ann bash -c '{SWAPS}'; "
        f"systemd-run -q --unit=moves --uid={app_of(node)} "
        f"bash -c '{MOVES.format(data=f'/var/lib/{app_of(node)}/data')}'"
    )

    with untouched(node):
        said = "".join(every_script(node, tmp_path))
        node.ssh("systemctl stop swaps moves")

    assert SECRET not in said
    assert "root:$" not in said
    assert "Traceback" not in said


def every_script(project: Project, keys: Path) -> Iterator[str]:
    """Run every script, with questions about places that others can change."""
    app = app_of(project)
    person = keys / "eve"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", person], check=True)
    asked = "".join(
        f"{line}\n"
        for line in (
            "user ann",
            *(f"path /var/lib/{app}/data/{name}" for name in ("guarded/secret", "fifo", "uploads")),
            f"path /var/lib/{app}/data/uploads/secret",
            *(f"path /home/ann/.ssh/authorized_keys{name}" for name in ("", ".d/fifo", ".d/link")),
            "path /home/ann/.ssh/authorized_keys.d/sparse",
            "path /home/ann/.ssh/authorized_keys.d/folder/secret",
        )
    )
    for words, given in (
        (("inspect", app), asked),
        (("access-list", "ann"), ""),
        (("holdings", app), ""),
        (("access-add", "ann", "eve"), "ssh-ed25519 AAAAeve eve\n"),
        (("access-drop", "ann"), '{"drop": ["ssh-ed25519 AAAAeve eve"], "keep": ["x"]}'),
        (("spec-hash",), ""),
        (("boot-id",), ""),
    ):
        done = send(project, *words, given=given.encode())
        yield done.stdout
        yield done.stderr
    yield from every_verb(project, Path(f"{person}.pub"))


def every_verb(project: Project, person: Path) -> Iterator[str]:
    """Run what sends every other script."""
    before = {"BEFORE_SWITCH": "/usr/bin/python3 -c pass"}
    yield project.fab("plan", ENV_GREETING="planted").out
    yield project.must("deploy", ENV_GREETING="planted", **before)
    for line in (
        *("deploy --force", "rollback", "deploy", "status", "logs", "releases", "drift"),
        *("converge --yes", "cert-status", "cert-rotate-https", "creds-seal"),
        f"access-add eve --key {person}",
        *("access-list", "access-remove eve", "host-key-rotate", "image-send", "image-verify"),
        *("prune", "image-repair --yes", "rehearsal-fault crash --worker jobs", "audit"),
        *("unlock --reason x", "metrics"),
    ):
        yield project.fab(*line.split()).out
    other = "another password"
    for new, old in ((other, CERT_PASSWORD), (CERT_PASSWORD, other)):
        changed = {"CERT_PASSWORD": new, "CERT_PASSWORD_OLD": old}
        yield project.must("cert-rotate-https", "--password-only", **changed)
