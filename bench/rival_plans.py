"""Measure pyinfra and Ansible with nothing to change: they check the app's files and unit.

Both are installed into a virtual environment of the cache. Ansible needs Python on the node, which
has none: it gets the sample image's for the time of the bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.project import Project

_HOME = Path(
    os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab", "bench", "plans"
)
_PYTHON = "/var/opt/bench-python"
_PLAYBOOK = """
- hosts: all
  become: true
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {{src: "{files}/{{{{ item }}}}", dest: "/{{{{ item }}}}", mode: "0644"}}
      loop: {names}
    - ansible.builtin.systemd: {{name: {unit}, state: started}}
"""
_DEPLOY = """
from pyinfra.operations import files, systemd
for name in {names}:
    files.put(src="{files}/" + name, dest="/" + name, mode="644", user="root", group="root",
              create_remote_dir=False, _sudo=True)
systemd.service(service="{unit}", running=True, _sudo=True)
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """A program that checks the same as a deploy with nothing to do."""

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, folder: Path) -> str:
        """Run it to its end; return its output, or raise."""
        done = subprocess.run(
            self.words, cwd=folder, env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name}: {(done.stdout + done.stderr)[-500:]}")
        return done.stdout + done.stderr


def fetch() -> str:
    """Install both; return the problem, if any."""
    if (_HOME / "bin/pyinfra").exists() and (_HOME / "bin/ansible-playbook").exists():
        return ""
    for words in (
        [sys.executable, "-m", "venv", str(_HOME)],
        [str(_HOME / "bin/pip"), "install", "-q", "--disable-pip-version-check",
         "pyinfra", "ansible-core"],
    ):  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip()[-200:]
    return ""


def lay_out(project: Project, folder: Path) -> tuple[Rival, ...]:
    """Write both plans for the release that serves, and give the node a Python for Ansible."""
    unit = project.container()
    app = unit.rpartition("-")[0]
    files = folder / "files"
    listed = project.ssh(f"cd /var/lib/{app}/current/root && find . -type f -printf '%P\\n'")
    names = listed.split()
    for name in names:
        path = files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(project.ssh(f"cat '/{name}'"))
    _give_python(project, f"localhost/{app}:{unit.rpartition('-')[2]}")
    values = {"files": files, "names": names, "unit": unit}
    (folder / "plan.yml").write_text(_PLAYBOOK.format(**values))
    (folder / "plan.py").write_text(_DEPLOY.format(**values))
    host, key = project.node.address, project.folder / "id"
    pins = project.folder / "certs/known_hosts"
    inventory = (
        f"{host} ansible_user=core ansible_ssh_private_key_file={key} "
        f"ansible_python_interpreter={_PYTHON}/run "
        f"ansible_ssh_common_args='-F none -o UserKnownHostsFile={pins}'\n"
    )
    (folder / "hosts").write_text(inventory)
    pyinfra_words = (
        "pyinfra", "-y", "--user", "core", "--key", str(key),
        "--data", f"ssh_known_hosts_file={pins}", host, "plan.py",
    )  # fmt: skip
    ansible = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
    bin_folder = _HOME / "bin"
    return (
        Rival("pyinfra", (str(bin_folder / pyinfra_words[0]), *pyinfra_words[1:]), {}),
        Rival(
            "Ansible", (str(bin_folder / "ansible-playbook"), "-i", "hosts", "plan.yml"), ansible
        ),
    )


def _give_python(project: Project, image: str) -> None:
    project.ssh(
        f"mkdir -p {_PYTHON}/usr; tree=$(podman image mount {image}); "
        f"cp -a $tree/usr/lib $tree/usr/bin/python3* {_PYTHON}/; podman image unmount {image}; "
        f"ln -sfn ../lib {_PYTHON}/usr/lib; "
        f"printf '#!/bin/sh\\nexec env PYTHONHOME={_PYTHON}/usr LD_LIBRARY_PATH={_PYTHON}/lib/"
        f'x86_64-linux-gnu {_PYTHON}/python3 "$@"\\n\' >{_PYTHON}/run; '
        f"chmod +x {_PYTHON}/run"
    )
