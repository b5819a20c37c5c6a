"""Verbs: start and stop Fedora CoreOS under QEMU on this machine, as a node for all commands."""

import os
import platform
import shutil
import socket
import time
from pathlib import Path

from certs.ssh import new_ssh_key
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.machine.install.first_boot import boot_id
from deploy.machine.install.plan.ignition import with_host_key
from deploy.machine.vm.plan.virtual_machine import VmOptions, qemu
from deploy.machine.vm.qemu import is_alive, make_disk, start, stop
from deploy.node.known_hosts import pin
from deploy.node.session import refuse_closed
from deploy.node.target import Target
from deploy.project import VM, Project
from deploy.workstation.files import write_atomically

_HERE = "127.0.0.1"
_PAUSE_SECONDS = 1.0


def vm_up(project: Project, wanted: VmOptions) -> None:
    """Start a machine from an image and the app's Ignition file; wait until a login succeeds.

    Raises:
        DeployError: when this is no Linux, when something is missing, or with the end of its
            console log.
    """
    if platform.system() != "Linux":
        raise DeployError(
            f"`fab vm` needs Linux, and this is {platform.system()}",
            "run it on a Linux machine, or deploy to a real node",
        )
    home, user = project.vm, project.settings.node_user
    refuse_closed(project.settings)
    _check(project, wanted)
    has_kvm = not wanted.no_kvm and os.access("/dev/kvm", os.R_OK | os.W_OK)
    if not has_kvm:
        output.warn(
            "no KVM: the machine is emulated, at least ten times slower; a longer --timeout helps"
            + ("" if wanted.no_kvm else "; /dev/kvm is missing or not permitted")
        )
    command = _command(project, wanted, has_kvm=has_kvm)
    if wanted.dry_run:
        output.say(" ".join(command))
        return
    vm_down(project.folder)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = new_ssh_key()
    whole = with_host_key(project.ignition.read_bytes(), key.private, key.public)
    write_atomically(home / "config.ign", whole, 0o600)
    pin(project.known_hosts, _HERE, wanted.ssh_port, (key.public,))
    make_disk(Path(wanted.image), home / "disk.qcow2", wanted.disk)
    start(command, home, has_tpm=not wanted.no_tpm)
    target = Target(_HERE, wanted.ssh_port, user, project.identity, project.known_hosts)
    with progress.step("First boot", "first boot done"):
        _await(target, home, wanted.timeout)
    output.good(f"{user} can log in at {_HERE}:{wanted.ssh_port}")
    output.say(f"next: fab -H {user}@{_HERE}:{wanted.ssh_port} deploy --first")


def vm_down(folder: Path) -> bool:
    """Stop the machine and remove its disk; return False when there was none."""
    home = folder / VM
    there = home.exists()
    stop(home)
    shutil.rmtree(home, ignore_errors=True)
    return there


def _check(project: Project, wanted: VmOptions) -> None:
    problems = []
    if not Path(wanted.image).is_file():
        reason = f"{wanted.image} does not exist" if wanted.image else "--image is missing"
        problems.append((reason, "fetch one: fab os-image --kind qemu"))
    elif wanted.image.endswith(".xz"):
        problems.append((f"{wanted.image} is compressed", f"unpack it: unxz -k {wanted.image}"))
    if not project.ignition.exists():
        problems.append((f"{project.ignition} does not exist", "make it with `fab prepare`"))
    program = _command(project, wanted, has_kvm=False)[0]
    for name, package in ((program, "qemu-system"), ("qemu-img", "qemu-utils")):
        if shutil.which(name) is None:
            problems.append((f"{name} is not installed", f"install it (Debian: {package})"))
    if not wanted.no_tpm and shutil.which("swtpm") is None:
        problems.append(("swtpm is not installed", "install it, or rerun with --no-tpm"))
    problems += [
        (f"port {port} is in use on this machine", "choose another one")
        for port in (wanted.ssh_port, wanted.https_port, wanted.http_port)
        if not is_alive(project.vm) and _is_taken(port)
    ]
    if problems:
        raise DeployError(
            "\n".join(text for text, _ in problems), "\n".join(hint for _, hint in problems)
        )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HERE, port))
        except OSError:
            return True
    return False


def _command(project: Project, wanted: VmOptions, *, has_kvm: bool) -> tuple[str, ...]:
    settings = project.settings
    ports = [(wanted.ssh_port, 22), (wanted.https_port, settings.https_port)]
    if settings.http_port:
        ports.append((wanted.http_port, settings.http_port))
    machine = platform.machine()
    return qemu(wanted, str(project.vm), ports, architecture=machine, has_kvm=has_kvm)


def _await(target: Target, home: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            boot_id(target)
        except DeployError as error:
            alive = is_alive(home)
            if not alive or time.monotonic() >= deadline:
                cause = error.message if alive else "QEMU ended"
                raise DeployError(
                    f"the machine did not come up: {cause}",
                    f"its console's last lines, from {home / 'console.log'}:\n{_tail(home)}",
                ) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _tail(home: Path) -> str:
    log = home / "console.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-15:]) or "(empty)"
