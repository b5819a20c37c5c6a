"""Commands: install a machine and keep it as its spec says."""

from pathlib import Path

from invoke.context import Context

from deploy.machine.install.plan.options import Installation
from deploy.machine.media.plan.options import Customization, OsImage
from deploy.machine.vm.plan.virtual_machine import VmOptions
from deploy.options import LOGIN, MACHINE, folder_of, project_of
from deploy.task import task

_MEDIUM = ("PROJECT", "SSH_KEYS", "NODE_ADDRESS", "NODE_PORT", "KNOWN_HOSTS")
_INSTALL = {
    "host": "the live system: [user@]host[:port]",
    "fingerprint": "the live system's host key, SHA256:…",
    "timeout": "seconds to wait for the installed system",
}


@task("prepare and install", fields=OsImage, help={"output": "the folder to fetch into"})
def os_image(context: Context, *, output: str = "build/images", wanted: OsImage) -> None:
    """Fetch an image of Fedora CoreOS, continue where it was interrupted, and verify it."""
    from deploy.machine.media.os_image import os_image as fetch

    folder = folder_of(context)
    fetch(folder / output, wanted, state=folder / "state")


@task(
    "prepare and install",
    positional=["image"],
    fields=Customization,
    help={"image": "Fedora CoreOS's live ISO"},
)
def iso(context: Context, image: str, *, name: str = "", wanted: Customization) -> None:
    """Make a live ISO that lets us in over SSH, or one that installs unattended."""
    from deploy.machine.media.media import iso as make

    make(project_of(context, name, _MEDIUM), Path(image), wanted)


@task(
    "prepare and install",
    positional=["image"],
    fields=Customization,
    help={
        "image": "Fedora CoreOS's live initramfs",
        "rootfs_url": "where the live rootfs is served",
    },
)
def pxe(
    context: Context, image: str, *, name: str = "", rootfs_url: str = "", wanted: Customization
) -> None:
    """Make a live initramfs for network boot, as `fab iso` makes an ISO."""
    from deploy.machine.media.media import pxe as make

    make(project_of(context, name, _MEDIUM), Path(image), wanted, rootfs_url=rootfs_url)


@task(
    "prepare and install",
    positional=["host"],
    fields=Installation,
    help=_INSTALL | {"dry_run": "check everything, show the command, write nothing"},
)
def install(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    host: str,
    *,
    name: str = "",
    fingerprint: str = "",
    dry_run: bool = False,
    timeout: int = 900,
    wanted: Installation,
) -> None:
    """Install a machine from its live system over SSH, and wait for its first boot."""
    from deploy.machine.install.install import install as write

    write(
        project_of(context, name, (*LOGIN, "DATA_PARTITION")),
        host,
        wanted,
        fingerprint=fingerprint,
        dry_run=dry_run,
        seconds=timeout,
    )


@task("prepare and install", positional=["host"], fields=Installation, help=_INSTALL)
def rebuild(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    host: str,
    *,
    name: str = "",
    fingerprint: str = "",
    timeout: int = 900,
    wanted: Installation,
) -> int:
    """Install a machine again and bring its app back: seal, deploy, prove, count the minutes."""
    from deploy.machine.rebuild import rebuild as build

    return build(project_of(context, name), host, wanted, fingerprint=fingerprint, seconds=timeout)


@task(
    "prepare and install",
    positional=["provider"],
    help={
        "provider": "vultr, hetzner or digitalocean",
        "domain": "the DNS zone to make; none unless given",
        "url": "where the machine fetches its spec, if it is too large for user data",
    },
)
def cloud(
    context: Context, provider: str, *, name: str = "", domain: str = "", url: str = ""
) -> None:
    """Write user data and a Terraform file for a cloud provider: build/cloud/."""
    from deploy.machine.cloud.cloud import cloud as write

    write(project_of(context, name), provider, domain=domain, url=url)


@task("prepare and install", fields=VmOptions, help={"down": "end the machine and remove its disk"})
def vm(context: Context, *, name: str = "", down: bool = False, wanted: VmOptions) -> None:
    """Start a real Fedora CoreOS under QEMU on this machine, with the app's Ignition file."""
    from deploy.console import output
    from deploy.machine.vm.vm import vm_down, vm_up

    if down:
        was_there = vm_down(folder_of(context))
        output.good("virtual machine removed" if was_there else "no virtual machine to remove")
        return
    vm_up(project_of(context, name, (*MACHINE, "SSH", "HTTPS_PORT", "HTTP_PORT")), wanted)


@task("look")
def drift(context: Context, *, name: str = "", json: bool = False) -> int:
    """Compare the node with its machine spec and its release; exit code 2 if it differs."""
    from deploy.machine.drift.drift import drift as show

    return show(project_of(context, name), as_json=json)


@task(
    "deploy and go back",
    help={
        "yes": "do not ask",
        "gate": "seconds after which the node restores what no new login has proven",
    },
)
def converge(
    context: Context, *, name: str = "", yes: bool = False, gate: int = 60, wait: int = 0
) -> int:
    """Bring a running node in line with its machine spec, and never lock you out."""
    from deploy.node.session import expect_login

    project = project_of(context, name)
    login = expect_login(project)
    from deploy.machine.drift.converge import ConvergeOptions
    from deploy.machine.drift.converge import converge as apply

    options = ConvergeOptions(may_change=yes, wait_seconds=wait, gate_seconds=gate)
    return apply(project, options, login)
