"""corefab: containerised web apps on Fedora CoreOS machines over SSH.

A verb's module is imported when its task runs, so that `fab --list` need not load them all.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from invoke.context import Context

from deploy.task import commands, target, task

if TYPE_CHECKING:
    from deploy.plan.installation import Installation
    from deploy.settings.model import Settings

# Invoke gives a list for an option that may be given again, when its default is None.
_Several: TypeAlias = Sequence[str] | None
_FOLDER = Path(__file__).parent
_NAME = "the instance, as in .env.NAME"
_JSON = "write JSON, for programs"
_NODE = "the rehearsal node, PROJECT unless given"


def _settings(context: Context, name: str) -> "Settings":
    from deploy.settings.read import read_settings, with_node

    settings = read_settings(_FOLDER, name or None)
    given = target(context)
    return with_node(settings, *given) if given else settings


@task(
    help={
        "name": _NAME,
        "yes": "never ask",
        "butane": "compile by python, the real one, or auto: real where installed",
    }
)
def prepare(_: Context, *, name: str = "", yes: bool = False, butane: str = "python") -> None:
    """Make the machine spec: build/<app>.bu and build/<app>.ign."""
    from deploy.prepare import prepare as make
    from deploy.prepare import settings_or_ask

    make(_FOLDER, settings_or_ask(_FOLDER, name or None, may_ask=not yes), compiler=butane)


@task(help={"name": _NAME, "first": "the app's first release on this node"})
def deploy(context: Context, *, name: str = "", first: bool = False) -> None:
    """Bring the app on the node to what is wanted here, or leave what was there."""
    from deploy.rollout import rollout

    rollout(_FOLDER, _settings(context, name), first=first)


@task(help={"name": _NAME, "events": "write progress as JSON, a line each"})
def image_send(context: Context, *, name: str = "", events: bool = False) -> None:
    """Bring IMAGE to the node, only what it lacks of it, and nothing else."""
    from deploy.image_send import image_send as send

    send(_FOLDER, _settings(context, name), events=events)


@task(help={"name": _NAME})
def prune(context: Context, *, name: str = "") -> None:
    """Remove images that no release needs, and what cut transfers left."""
    from deploy.prune import prune as remove

    remove(_FOLDER, _settings(context, name))


@task(help={"name": _NAME, "json": _JSON})
def status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health; exit code 1 when the app is not healthy."""
    from deploy.status import status as show

    return show(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "lines": "how many"})
def logs(context: Context, *, name: str = "", lines: str = "50") -> None:
    """Show the last lines that the app and its unit wrote."""
    from deploy.logs import logs as show

    show(_FOLDER, _settings(context, name), lines)


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_issue(context: Context, *, name: str = "", days: int = 90) -> None:
    """Issue a certificate for CERT_NAMES from the project's own authority."""
    from deploy.cert_issue import cert_issue as issue
    from deploy.node import asker

    issue(_FOLDER, _settings(context, name), days=days, ask=asker())


@task(help={"name": _NAME, "days": "how long it is valid"})
def cert_rotate_https(context: Context, *, name: str = "", days: int = 90) -> None:
    """Serve a new key and certificate, proven by a live handshake, undone if not."""
    from deploy.cert_rotate import cert_rotate_https as rotate
    from deploy.node import asker

    rotate(_FOLDER, _settings(context, name), days=days, ask=asker())


@task(help={"name": _NAME, "json": _JSON})
def cert_status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Compare the certificate here, on the node and as served; exit code 1 if they differ."""
    from deploy.cert_status import cert_status as show

    return show(_FOLDER, _settings(context, name), as_json=json)


@task(help={"name": _NAME, "fingerprint": "SHA256:…, from the machine's console"})
def trust(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's SSH host key, compared with the machine's console."""
    from deploy.trust import trust as pin

    pin(_FOLDER, _settings(context, name), fingerprint=fingerprint)


_INSTALLING = {
    "host": "the live system: [user@]host[:port]",
    "name": _NAME,
    "device": "the disk to install to; asked for if not given",
    "wipe": "the same disk again, when it holds data",
    "fingerprint": "the live system's host key, SHA256:…",
    "copy_network": "take the medium's network configuration along",
    "own_network": "the installed system finds its address by itself",
    "network_dir": "where that configuration lies on the medium",
    "console": "such as ttyS0,115200; may be given again",
    "append_karg": "a kernel argument to add; may be given again",
    "delete_karg": "a kernel argument to remove; may be given again",
    "save_partlabel": "keep partitions of this name; may be given again",
    "save_partindex": "keep partitions of this number; may be given again",
    "image_file": "an image on the medium, instead of the medium's own",
    "image_url": "an image to fetch",
    "stream": "a stream to fetch from: stable, testing, next",
    "platform": "Ignition's platform, if not metal",
    "insecure": "take an image without a signature",
    "offline": "fetch nothing",
    "installer_option": "any other option of coreos-installer; may be given again",
    "timeout": "seconds to wait for the installed system",
}
_REPEATED = (
    *("console", "append_karg", "delete_karg", "save_partlabel", "save_partindex"),
    "installer_option",
)


def _installation(options: Mapping[str, Any]) -> "Installation":
    """Take what is said of an installation out of a task's options."""
    from dataclasses import fields

    from deploy.plan.installation import Installation

    names = {field.name for field in fields(Installation)} & options.keys()
    values = {name: options[name] for name in names}
    several = {name: tuple(options[name] or ()) for name in _REPEATED}
    return Installation(**values | {
        "more" if name == "installer_option" else name: found for name, found in several.items()
    })  # fmt: skip


@task(
    positional=["host"],
    iterable=list(_REPEATED),
    auto_shortflags=False,
    help=_INSTALLING | {"dry_run": "check everything, show the command, write nothing"},
)
def install(  # noqa: PLR0913 -- coreos-installer's options
    context: Context,
    host: str,
    *,
    name: str = "",
    device: str = "",
    wipe: str = "",
    fingerprint: str = "",
    copy_network: bool = False,
    own_network: bool = False,
    network_dir: str = "",
    console: _Several = None,
    append_karg: _Several = None,
    delete_karg: _Several = None,
    save_partlabel: _Several = None,
    save_partindex: _Several = None,
    image_file: str = "",
    image_url: str = "",
    stream: str = "",
    platform: str = "",
    insecure: bool = False,
    offline: bool = False,
    installer_option: _Several = None,
    dry_run: bool = False,
    timeout: int = 900,
) -> None:
    """Install a machine from its live system over SSH, and wait for its first boot."""
    wanted = _installation(locals())
    from deploy.install import install as write

    write(
        _FOLDER,
        _settings(context, name),
        host,
        wanted,
        fingerprint=fingerprint,
        dry_run=dry_run,
        seconds=timeout,
    )


@task(positional=["host"], iterable=list(_REPEATED), auto_shortflags=False, help=_INSTALLING)
def rebuild(  # noqa: PLR0913 -- coreos-installer's options
    context: Context,
    host: str,
    *,
    name: str = "",
    device: str = "",
    wipe: str = "",
    fingerprint: str = "",
    copy_network: bool = False,
    own_network: bool = False,
    network_dir: str = "",
    console: _Several = None,
    append_karg: _Several = None,
    delete_karg: _Several = None,
    save_partlabel: _Several = None,
    save_partindex: _Several = None,
    image_file: str = "",
    image_url: str = "",
    stream: str = "",
    platform: str = "",
    insecure: bool = False,
    offline: bool = False,
    installer_option: _Several = None,
    timeout: int = 900,
) -> int:
    """Install a machine again and bring its app back: seal, deploy, prove, count the minutes."""
    wanted = _installation(locals())
    from deploy.rebuild import rebuild as build

    settings = _settings(context, name)
    return build(_FOLDER, settings, host, wanted, fingerprint=fingerprint, seconds=timeout)


_MEDIUM = {
    "name": _NAME,
    "output": "the file to write",
    "device": "install to this disk unattended, unasked",
    "keyfile": "a NetworkManager keyfile to bring; may be given again",
    "console": "of the installed system; may be given again",
    "append_karg": "a kernel argument of the installed system; may be given again",
    "installer": "the coreos-installer to use, if not the one on PATH",
    "installer_option": "any other option of coreos-installer; may be given again",
    "force": "write over an output that exists",
}
_MEDIUM_REPEATED = ["keyfile", "console", "append_karg", "installer_option"]


@task(
    positional=["image"],
    iterable=_MEDIUM_REPEATED,
    auto_shortflags=False,
    help=_MEDIUM | {"image": "Fedora CoreOS's live ISO"},
)
def iso(  # noqa: PLR0913 -- coreos-installer's options
    context: Context,
    image: str,
    *,
    name: str = "",
    output: str = "build/media/corefab.iso",
    device: str = "",
    keyfile: _Several = None,
    console: _Several = None,
    append_karg: _Several = None,
    installer: str = "",
    installer_option: _Several = None,
    force: bool = False,
) -> None:
    """Make a live ISO that lets us in over SSH, or one that installs unattended."""
    from deploy import medium

    wanted = medium.Customization(
        Path(image),
        _FOLDER / output,
        device,
        tuple(keyfile or ()),
        tuple(console or ()),
        tuple(append_karg or ()),
        tuple(installer_option or ()),
        force=force,
    )
    medium.iso(_FOLDER, _settings(context, name), wanted, installer=installer)


@task(
    positional=["image"],
    iterable=_MEDIUM_REPEATED,
    auto_shortflags=False,
    help=_MEDIUM
    | {"image": "Fedora CoreOS's live initramfs", "rootfs_url": "where the live rootfs is served"},
)
def pxe(  # noqa: PLR0913 -- coreos-installer's options
    context: Context,
    image: str,
    *,
    name: str = "",
    output: str = "build/media/corefab-initramfs.img",
    device: str = "",
    keyfile: _Several = None,
    console: _Several = None,
    append_karg: _Several = None,
    installer: str = "",
    installer_option: _Several = None,
    rootfs_url: str = "",
    force: bool = False,
) -> None:
    """Make a live initramfs for network boot, as `fab iso` makes an ISO."""
    from deploy import medium

    wanted = medium.Customization(
        Path(image),
        _FOLDER / output,
        device,
        tuple(keyfile or ()),
        tuple(console or ()),
        tuple(append_karg or ()),
        tuple(installer_option or ()),
        force=force,
    )
    settings = _settings(context, name)
    medium.pxe(_FOLDER, settings, wanted, rootfs_url=rootfs_url, installer=installer)


@task(
    help={
        "kind": "iso, pxe-kernel, pxe-initramfs, pxe-rootfs, metal, qemu, or a provider's",
        "stream": "stable, testing or next",
        "architecture": "this machine's unless given",
        "output": "the folder to fetch into",
        "metadata": "the stream's metadata: a file or an address",
        "source": "a copy of the image: a file or an address",
        "signature": "a copy of its signature",
        "keyring": "Fedora's public keys, to check the signature with",
    }
)
def image(  # noqa: PLR0913 -- where each part may come from
    _: Context,
    *,
    kind: str = "iso",
    stream: str = "stable",
    architecture: str = "",
    output: str = "build/images",
    metadata: str = "",
    source: str = "",
    signature: str = "",
    keyring: str = "",
) -> None:
    """Fetch an image of Fedora CoreOS, go on where it was cut, and verify it."""
    from deploy.os_image import Wanted, os_image

    wanted = Wanted(kind, stream, architecture, metadata, source, signature, keyring)
    os_image(_FOLDER / output, wanted)


@task(
    positional=["provider"],
    help={
        "provider": "vultr, hetzner or digitalocean",
        "name": _NAME,
        "domain": "the DNS zone to make; none unless given",
        "url": "where the machine fetches its spec, if it is too large for user data",
    },
)
def cloud(
    context: Context, provider: str, *, name: str = "", domain: str = "", url: str = ""
) -> None:
    """Write user data and Terraform JSON for a cloud provider: build/cloud/."""
    from deploy.cloud import cloud as write

    write(_FOLDER, _settings(context, name), provider, domain=domain, url=url)


@task(
    iterable=["qemu_option"],
    auto_shortflags=False,
    help={
        "name": _NAME,
        "image": "a Fedora CoreOS qcow2 (fab image --kind qemu)",
        "disk": "the size of its disk",
        "memory": "its memory in megabytes",
        "cpus": "its processors",
        "ssh_port": "the port here that reaches its SSH",
        "https_port": "the port here that reaches the app",
        "http_port": "the port here that reaches the app without TLS",
        "no_tpm": "without a TPM",
        "no_kvm": "emulate the processor, where KVM is there and does not work",
        "qemu_option": "a word more for QEMU; may be given again",
        "timeout": "seconds to wait for its first boot",
        "dry_run": "show the command only",
        "down": "end the machine and forget its disk",
    },
)
def vm(  # noqa: PLR0913 -- what a machine is made of
    context: Context,
    *,
    name: str = "",
    image: str = "",
    disk: str = "20G",
    memory: int = 2048,
    cpus: int = 2,
    ssh_port: int = 2222,
    https_port: int = 8443,
    http_port: int = 8080,
    no_tpm: bool = False,
    no_kvm: bool = False,
    qemu_option: _Several = None,
    timeout: int = 300,
    dry_run: bool = False,
    down: bool = False,
) -> None:
    """Start a real Fedora CoreOS under QEMU on this machine, with the app's Ignition file."""
    from deploy import report
    from deploy.vm import Wanted, vm_down, vm_up

    if down:
        report.good("the machine is gone" if vm_down(_FOLDER) else "there was no machine")
        return
    wanted = Wanted(
        image,
        disk,
        memory,
        cpus,
        ssh_port,
        https_port,
        http_port,
        tpm=not no_tpm,
        kvm=not no_kvm,
        seconds=timeout,
        dry_run=dry_run,
        more=tuple(qemu_option or ()),
    )
    vm_up(_FOLDER, _settings(context, name), wanted)


@task(help={"name": _NAME})
def sample_build(context: Context, *, name: str = "") -> None:
    """Build the sample app's image as IMAGE."""
    from container.sample.build import build
    from deploy import report

    settings = _settings(context, name)
    report.good(f"{settings.image} is {build(settings.image, on_step=report.say)}")


@task(help={"name": _NAME, "node": _NODE})
def node_up(context: Context, *, name: str = "", node: str = "") -> None:
    """Boot a rehearsal node from build/<app>.ign and pin its host key."""
    from deploy import rehearse

    rehearse.node_up(_FOLDER, _settings(context, name), name=node)


@task(help={"json": _JSON})
def node_status(_: Context, *, json: bool = False) -> None:
    """List the rehearsal nodes."""
    from deploy import rehearse

    rehearse.node_status(as_json=json)


@task(help={"name": _NAME, "node": _NODE})
def node_reboot(context: Context, *, name: str = "", node: str = "") -> None:
    """Restart a rehearsal node and wait until it is ready again."""
    from deploy import rehearse

    rehearse.node_reboot(_settings(context, name), name=node)


@task(help={"name": _NAME, "node": _NODE, "all": "every rehearsal node there is"})
def node_down(context: Context, *, name: str = "", node: str = "", all: bool = False) -> None:  # noqa: A002 -- the option is called --all
    """Remove a rehearsal node and all it has."""
    from deploy import rehearse

    if all:
        rehearse.node_down_all(_FOLDER)
    else:
        settings = _settings(context, name)
        rehearse.node_down(_FOLDER / settings.known_hosts, node or settings.project)


@task(
    positional=["fault"], help={"name": _NAME, "worker": "web or jobs", "fault": "hang, crash, …"}
)
def rehearse(context: Context, fault: str, *, name: str = "", worker: str = "jobs") -> None:
    """Make a worker of the sample app hang or crash, and watch it recover."""
    from deploy.rehearse_fault import rehearse_fault

    rehearse_fault(_FOLDER, _settings(context, name), fault=fault, worker=worker)


ns = commands(sys.modules[__name__])
