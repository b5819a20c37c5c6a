"""Verbs: make media to install machines from; an ISO has a host key that `fab install` knows.

What is served for network boot has none: every client could read it.
"""

from pathlib import Path

from certs.ssh import SshKey, new_ssh_key
from deploy.console import output
from deploy.errors import DeployError
from deploy.machine.install.live_system import LIVE_USER, remember_medium
from deploy.machine.install.plan.ignition import login, with_host_key
from deploy.machine.media.local_installer import find_installer, run_installer
from deploy.machine.media.plan.options import Customization
from deploy.node.host_key import fingerprint_of
from deploy.node.known_hosts import pin
from deploy.project import Project
from deploy.settings.model import REHEARSAL
from deploy.spec.login_keys import collect_keys
from deploy.spec.spec import prepared_spec

# Every live system in use accepts it.
_SPEC = "3.3.0"
_OUTPUT = {"iso": "corefab.iso", "pxe": "corefab-initramfs.img"}


def iso(project: Project, source: Path, wanted: Customization) -> None:
    """Make a live ISO with our keys from a Fedora CoreOS ISO."""
    made = _customize(project, "iso", source, wanted)
    output.good(f"{made}: boot the machine from it")
    _say_next(wanted)


def pxe(project: Project, source: Path, wanted: Customization, *, rootfs_url: str = "") -> None:
    """Make a live initramfs with our keys from Fedora CoreOS's, and print how to boot it."""
    made = _customize(project, "pxe", source, wanted)
    output.good(f"{made}: serve it as the initramfs, with these kernel arguments:")
    url = rootfs_url or "URL-OF-THE-LIVE-ROOTFS"
    output.say(f"  coreos.live.rootfs_url={url} ignition.firstboot ignition.platform.id=metal")
    output.say("the machine makes its host key at boot and shows the fingerprint on its console")
    if wanted.device:
        output.say("once it is installed: fab trust --fingerprint SHA256:…")
    _say_next(wanted, " --fingerprint SHA256:…")


def live_config(project: Project) -> tuple[bytes, SshKey]:
    """Make the config of a live system that accepts our keys, and its host key."""
    key = new_ssh_key()
    return with_host_key(_login(project), key.private, key.public), key


def _login(project: Project) -> bytes:
    return login(_SPEC, LIVE_USER, collect_keys(project))


def _customize(project: Project, kind: str, source: Path, wanted: Customization) -> Path:
    target = project.folder / wanted.output if wanted.output else project.media / _OUTPUT[kind]
    _check(source, target, wanted)
    program = find_installer(wanted.installer)
    own_keys = kind == "iso"
    live, key = live_config(project)
    inputs = {"live": live if own_keys else _login(project)}
    # Written under another name, then renamed: an incomplete medium is never at `target`.
    beside = target.with_name(f".{target.name}.new")
    words = [kind, "customize", "--live-ignition={live}", f"--output={_literal(str(beside))}"]
    installed = None
    if wanted.device:
        installed = new_ssh_key()
        spec = prepared_spec(project)
        inputs["installed"] = (
            with_host_key(spec, installed.private, installed.public) if own_keys else spec
        )
        words += [f"--dest-device={wanted.device}", "--dest-ignition={installed}"]
        words += [f"--dest-console={one}" for one in wanted.console]
        words += [f"--dest-karg-append={one}" for one in wanted.append_karg]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    words += [_literal(word) for word in (*wanted.installer_option, str(source))]
    run_installer(program, tuple(words), inputs, doing=f"making {target}")
    # It contains private host keys.
    beside.chmod(0o600)
    beside.replace(target)
    if own_keys:
        remember_medium(project, key.public)
        output.say(f"its host key is {fingerprint_of(key.public)}: known for a day, at one address")
    if installed and own_keys:
        _pin_installed(project, installed)
    return target


def _literal(word: str) -> str:
    return word.replace("{", "{{").replace("}", "}}")


def _check(source: Path, target: Path, wanted: Customization) -> None:
    if not source.is_file():
        raise DeployError(
            f"{source} is not a file", "fetch it with `fab os-image`, or give its path"
        )
    if target.exists() and not wanted.force:
        raise DeployError(f"{target} exists", "give another --output, or --force")
    if not wanted.device and (wanted.console or wanted.append_karg):
        raise DeployError(
            "--console and --append-karg are for the installed system, but no --device is given",
            "give them to `fab install`, or give a --device to install to unattended",
        )


def _pin_installed(project: Project, key: SshKey) -> None:
    address, fingerprint = project.settings.node_address, fingerprint_of(key.public)
    if address in {"", REHEARSAL}:
        output.say(f"the installed system will show the host key {fingerprint}:")
        output.say(f"  fab trust --fingerprint {fingerprint}")
    else:
        pin(project.known_hosts, address, project.settings.node_port, (key.public,))
        output.good(f"host key {fingerprint} pinned for {address}")


def _say_next(wanted: Customization, fingerprint: str = "") -> None:
    if wanted.device:
        output.warn(f"any machine that boots it erases {wanted.device} without asking")
        output.say("next, once the machine is up: fab deploy --first")
    else:
        output.say(f"next, once it is up: fab install ADDRESS{fingerprint}")
