"""corefab: containerised web apps on Fedora CoreOS machines over SSH.

A verb's module is imported when its task runs, so that `fab --list` need not load them all.
"""

import atexit
import gc
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from invoke.context import Context

from deploy.project import Project
from deploy.task import commands, hosts, target, task

if TYPE_CHECKING:
    from deploy.app.credentials import Credentials
    from deploy.certificate.source import Wish
    from deploy.fleet.nodes import Node
    from deploy.machine.install.plan.installation import Installation
    from deploy.node.login import Login
    from deploy.settings.model import Settings

# A verb lasts seconds: searching for what could be freed costs it more than the memory, most of all
# at its end.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

# Invoke gives a list for an option that may be given again, when its default is None.
_Several: TypeAlias = Sequence[str] | None
_FOLDER = Path(__file__).parent
_NAME = "the instance, as in .env.NAME"
_JSON = "write JSON, for programs"
_WAIT = "how many seconds to wait for somebody else's change"
_FIRST = "the app's first release on this node"
_NODE = "the rehearsal node, PROJECT unless given"
_LIFE = "how long one of our own authority is valid"
_GIVEN = "a certificate that was given: PEM, DER, PKCS#7 or PKCS#12"
_GIVEN_KEY = "its private key, in any usual form; CERT_PASSWORD opens it if it is encrypted"
_DAYS = "for how many days it is let in; 0 for ever"


# What a command needs that only logs in to a node and names its app.
_LOGIN = ("PROJECT", "NODE_ADDRESS", "NODE_PORT", "NODE_USER", "IDENTITY_FILE", "KNOWN_HOSTS")
# What a command needs that starts a machine here from the app's Ignition file.
_MACHINE = ("PROJECT", "NODE_USER", "IDENTITY_FILE", "KNOWN_HOSTS")


def _project(context: Context, name: str, needed: Sequence[str] = ()) -> Project:
    """Read every setting of an instance, or only those that are needed."""
    from deploy.fleet.nodes import one_instance

    return one_instance(_FOLDER, name, target(context), needed)


def _settings(context: Context, name: str, needed: Sequence[str] = ()) -> "Settings":
    return _project(context, name, needed).settings


def _projects(context: Context, name: str, *, every: bool) -> tuple[Project, ...]:
    """Read one instance, or every one here."""
    from deploy.fleet.nodes import every_instance

    return every_instance(_FOLDER) if every else (_project(context, name),)


def _nodes(context: Context, name: str) -> "tuple[Node, ...]":
    """List every node of every instance here, or the one that -H names."""
    from deploy.fleet.nodes import nodes

    return nodes(_projects(context, name, every=target(context) is None))


def _expecting(context: Context, name: str) -> "tuple[Project, Login | None]":
    """Read the settings, and start to log in while the command's modules are imported."""
    from deploy.node.session import expect_login

    project = _project(context, name)
    return project, expect_login(project)


def _credentials(settings: "Settings") -> "Credentials":
    from deploy.app.credentials import Credentials
    from deploy.node.session import passphrase_prompt

    return Credentials(settings, passphrase_prompt())


def _wish(days: int, certificate: str = "", key: str = "") -> "Wish":
    from deploy.certificate.source import Wish

    given = [Path(name).expanduser().absolute() if name else None for name in (certificate, key)]
    return Wish(days, *given)


@task(
    help={
        "name": _NAME,
        "yes": "never ask",
        "butane": "compile by python, the real one, or auto: real where installed",
    }
)
def prepare(_: Context, *, name: str = "", yes: bool = False, butane: str = "python") -> None:
    """Make the machine spec: build/<app>.bu and build/<app>.ign."""
    from deploy.spec.prepare import prepare as make
    from deploy.spec.prepare import settings_or_ask

    make(Project(_FOLDER, settings_or_ask(_FOLDER, name or None, may_ask=not yes)), compiler=butane)


@task(help={"name": _NAME, "json": _JSON})
def check(_: Context, *, name: str = "", json: bool = False) -> int:
    """Check settings, templates, overlays and units with no node; exit code 1 on errors."""
    from deploy.spec.check import check as look

    return look(_FOLDER, name or None, as_json=json)


@task(
    help={
        "name": _NAME,
        "first": _FIRST,
        "json": _JSON,
        "exit-code": "end with exit code 2 when there is something to do",
    }
)
def plan(
    context: Context,
    *,
    name: str = "",
    first: bool = False,
    json: bool = False,
    exit_code: bool = False,
) -> int:
    """Show what a deploy would do, with every difference, and do nothing."""
    project, login = _expecting(context, name)
    from deploy.app.show_plan import show_plan

    return show_plan(project, first=first, as_json=json, exit_code=exit_code, login=login)


@task(
    help={
        "name": _NAME,
        "first": _FIRST,
        "anew": "make a new release even if nothing differs",
        "wait": _WAIT,
    }
)
def deploy(
    context: Context, *, name: str = "", first: bool = False, anew: bool = False, wait: int = 0
) -> None:
    """Bring the app on the node to what is wanted here, or leave what was there."""
    project, login = _expecting(context, name)
    from deploy.app.deploy import DeployOptions
    from deploy.app.deploy import deploy as run

    run(project, DeployOptions(first=first, force=anew, wait_seconds=wait), login=login)


@task(help={"name": _NAME, "json": _JSON})
def releases(context: Context, *, name: str = "", json: bool = False) -> None:
    """List the app's releases on the node: which serves, who made it, which failed."""
    from deploy.app.releases import releases as show

    show(_project(context, name, _LOGIN), as_json=json)


@task(help={"name": _NAME, "reason": "why; it is written down on the node"})
def unlock(context: Context, *, name: str = "", reason: str = "") -> None:
    """End the connection of whoever holds the app's lock, and write down why."""
    from deploy.node.unlock import unlock as end

    end(_project(context, name, _LOGIN), reason=reason)


@task(help={"name": _NAME, "lines": "how many", "every": "of every app of the node", "json": _JSON})
def audit(
    context: Context, *, name: str = "", lines: str = "20", every: bool = False, json: bool = False
) -> None:
    """Show who changed what on the node, when, from where, and what came of it."""
    from deploy.node.audit import audit as show

    show(_project(context, name, _LOGIN), lines=lines, every=every, as_json=json)


@task(help={"name": _NAME, "json": _JSON})
def drift(context: Context, *, name: str = "", json: bool = False) -> int:
    """Compare the node with its machine spec and its release; exit code 2 if it differs."""
    from deploy.machine.drift.drift import drift as show

    return show(_project(context, name), as_json=json)


@task(
    help={
        "name": _NAME,
        "yes": "do not ask",
        "gate": "seconds after which the node puts back what no new login has proven",
        "wait": _WAIT,
    }
)
def converge(
    context: Context, *, name: str = "", yes: bool = False, gate: int = 60, wait: int = 0
) -> int:
    """Bring a running node in line with its machine spec, and never lock you out."""
    from deploy.machine.drift.converge import Order
    from deploy.machine.drift.converge import converge as apply

    order = Order(may_change=yes, wait_seconds=wait, gate_seconds=gate)
    return apply(_project(context, name), order)


@task(
    help={
        "name": _NAME,
        "to": "the release; the one before what serves, unless given",
        "wait": _WAIT,
    }
)
def rollback(context: Context, *, name: str = "", to: str = "", wait: int = 0) -> None:
    """Go back to a release that the node keeps, proven like a deploy."""
    from deploy.app.rollback import rollback as go_back

    go_back(_project(context, name), to=to, wait_seconds=wait)


@task(
    help={
        "name": _NAME,
        "events": "write progress as JSON, a line each",
        "nodes": "user@host:port,…: to these at once, each layer read and compressed once",
    }
)
def image_send(context: Context, *, name: str = "", events: bool = False, nodes: str = "") -> None:
    """Bring IMAGE to the node, only what it lacks of it, and nothing else."""
    from deploy.fleet.nodes import at_hosts

    project, login = (_project(context, name), None) if nodes else _expecting(context, name)
    from deploy.image.send import image_send as send

    send(at_hosts(project, hosts(nodes)) or (project,), events=events, login=login)


@task(help={"name": _NAME})
def image_verify(context: Context, *, name: str = "") -> int:
    """Compare the node's image with IMAGE, path by path; exit code 1 if they differ."""
    from deploy.image.verify import image_verify as verify

    return verify(_project(context, name))


@task(help={"name": _NAME, "yes": "do not ask", "wait": _WAIT})
def image_repair(context: Context, *, name: str = "", yes: bool = False, wait: int = 0) -> None:
    """Take damaged layers out of the node's storage, and deploy what was lost with them."""
    from deploy.app.repair import image_repair as repair

    repair(_project(context, name), asked=yes, wait_seconds=wait)


@task(help={"name": _NAME, "wait": _WAIT})
def prune(context: Context, *, name: str = "", wait: int = 0) -> None:
    """Remove images that no release needs, and what cut transfers left."""
    from deploy.image.prune import prune as remove

    remove(_project(context, name, _LOGIN), wait_seconds=wait)


@task(help={"name": _NAME, "json": _JSON})
def status(context: Context, *, name: str = "", json: bool = False) -> int:
    """Show release, unit and health; exit code 1 when the app is not healthy."""
    project, login = _expecting(context, name)
    from deploy.app.status import status as show

    return show(project, as_json=json, login=login)


@task(help={"name": _NAME, "lines": "how many", "release": "another than serves, a failed one too"})
def logs(context: Context, *, name: str = "", lines: str = "50", release: str = "") -> None:
    """Show the last lines that the app and its unit wrote."""
    from deploy.app.logs import logs as show

    show(_project(context, name, _LOGIN), lines, release=release)


@task(help={"name": _NAME, "days": _LIFE, "certificate": _GIVEN, "key": _GIVEN_KEY})
def cert_issue(
    context: Context, *, name: str = "", days: int = 90, certificate: str = "", key: str = ""
) -> None:
    """Get a certificate for CERT_NAMES as CERT_FROM says, without serving it yet."""
    from deploy.certificate.issue import cert_issue as issue

    settings = _settings(context, name)
    issue(Project(_FOLDER, settings), _wish(days, certificate, key), _credentials(settings))


@task(help={"name": _NAME})
def cert_request(context: Context, *, name: str = "") -> None:
    """Make a key and a signing request for an outside authority."""
    from deploy.certificate.issue import cert_request as request

    settings = _settings(context, name)
    request(Project(_FOLDER, settings), _credentials(settings))


@task(
    help={
        "name": _NAME,
        "days": _LIFE,
        "certificate": _GIVEN,
        "key": _GIVEN_KEY,
        "password_only": "the same key, encrypted anew with a CERT_PASSWORD that was changed",
    }
)
def cert_rotate_https(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    *,
    name: str = "",
    days: int = 90,
    certificate: str = "",
    key: str = "",
    password_only: bool = False,
) -> None:
    """Serve a new key and certificate, proven by a live handshake, undone if not."""
    from deploy.app.credentials import fetch
    from deploy.certificate.rotate import cert_rotate_https as rotate
    from deploy.certificate.rotate import change_password
    from deploy.node.session import passphrase_prompt

    settings = _settings(context, name)
    if password_only:
        old = settings.old_password
        change_password(
            Project(_FOLDER, settings),
            _credentials(settings),
            lambda: fetch(old, passphrase_prompt()),
        )
    else:
        rotate(Project(_FOLDER, settings), _wish(days, certificate, key), _credentials(settings))


@task(help={"name": _NAME, "days": _LIFE, "force": "also when it is not due"})
def cert_renew(context: Context, *, name: str = "", days: int = 90, force: bool = False) -> None:
    """Serve a new certificate if the present one is due; safe to run from a timer."""
    from deploy.certificate.renew import cert_renew as renew

    settings = _settings(context, name)
    renew(Project(_FOLDER, settings), _wish(days), _credentials(settings), force=force)


@task(help={"name": _NAME})
def cert_restore(context: Context, *, name: str = "") -> None:
    """Serve the certificate before the present one again."""
    from deploy.certificate.rotate import cert_restore as restore

    settings = _settings(context, name)
    restore(Project(_FOLDER, settings), _credentials(settings))


@task(
    help={
        "name": _NAME,
        "all": "every instance here",
        "json": _JSON,
        "prometheus": "write text for Prometheus",
    }
)
def cert_status(
    context: Context,
    *,
    name: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
    json: bool = False,
    prometheus: bool = False,
) -> int:
    """Show certificates, keys and credentials; exit code 2 if something is wrong, 1 if soon."""
    from deploy.inventory.status import cert_status as show

    form: Literal["table", "json", "prometheus"] = "json" if json else "table"
    return show(_projects(context, name, every=all), form="prometheus" if prometheus else form)


@task(help={"name": _NAME, "json": _JSON})
def creds_list(context: Context, *, name: str = "", json: bool = False) -> int:
    """List credentials, their sources and seals; exit code 1 if one is not as it should be."""
    from deploy.credential.list import creds_list as show

    return show(_project(context, name), as_json=json)


@task(
    help={"name": _NAME, "credential": "which, all unless given", "all": "every instance here"},
)
def creds_seal(
    context: Context,
    *,
    name: str = "",
    credential: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
) -> None:
    """Seal credentials anew from their sources; --all brings every app back after a reinstall."""
    from deploy.credential.seal import Wish
    from deploy.credential.seal import creds_seal as seal

    seal(_projects(context, name, every=all), Wish((credential,) if credential else (), all))


@task(positional=["credential"], help={"name": _NAME, "credential": "which"})
def creds_rotate(context: Context, credential: str, *, name: str = "") -> None:
    """Seal a credential's new value from its source; the old one comes back if the app fails."""
    from deploy.credential.seal import creds_rotate as rotate

    rotate(_project(context, name), credential)


@task(
    positional=["credential"],
    help={
        "name": _NAME,
        "credential": "which",
        "file": "read the value from a file, without its last line end; - for standard input",
    },
)
def creds_set(context: Context, credential: str, *, name: str = "", file: str = "") -> None:
    """Seal a value that is typed in, or read from a file, and keep nothing of it here."""
    from deploy.app.credentials import given_value
    from deploy.credential.seal import creds_set as seal

    settings = _settings(context, name)
    seal(Project(_FOLDER, settings), credential, lambda: given_value(credential, file))


@task(help={"name": _NAME, "key": "a private key of your own to take", "days": _DAYS})
def cert_rotate_ssh(context: Context, *, name: str = "", key: str = "", days: int = 0) -> None:
    """Log in with another key from now on, on every node, proven before the old one goes."""
    from deploy.access.rotate_key import Wish
    from deploy.access.rotate_key import cert_rotate_ssh as rotate
    from deploy.errors import DeployError

    if target(context):
        raise DeployError(
            "one node's key alone is not replaced: the file is the same for all",
            "name every node in .env and .env.NAME, and leave -H out",
        )
    wish = Wish(Path(key).expanduser().absolute() if key else None, days)
    rotate(_nodes(context, name), _project(context, name).identity, wish)


@task(
    help={
        "name": _NAME,
        "finish": "forget the old key, which was announced beside the new one until now",
        "at_once": "begin and finish: colleagues have to pin the new key by hand",
    }
)
def cert_rotate_host(
    context: Context, *, name: str = "", finish: bool = False, at_once: bool = False
) -> None:
    """Give the node another SSH host key, announced beside the old one for a while."""
    from deploy.access.host_key import cert_rotate_host as rotate
    from deploy.fleet.nodes import nodes

    (node,) = nodes((_project(context, name),))
    rotate(node, finish=finish, at_once=at_once)


@task(
    positional=["person"],
    help={"name": _NAME, "person": "whose", "key": "a file of public keys", "days": _DAYS},
)
def access_add(context: Context, person: str, *, key: str, name: str = "", days: int = 0) -> None:
    """Let a person's SSH keys in on every node, and in the machine specs to come."""
    from deploy.access.keys import access_add as add

    add(_nodes(context, name), person, Path(key).expanduser().absolute(), days=days)


@task(positional=["person"], help={"name": _NAME, "person": "whose"})
def access_remove(context: Context, person: str, *, name: str = "") -> None:
    """Take a person's SSH keys off every node, and out of the machine specs to come."""
    from deploy.access.keys import access_remove as remove

    remove(_nodes(context, name), person, identity=_project(context, name).identity)


@task(
    positional=["person"],
    help={
        "name": _NAME,
        "person": "whose, for the node's log",
        "key": "their public key file",
        "hours": "how long it is valid",
    },
)
def access_sign(
    context: Context, person: str, *, key: str, name: str = "", hours: int = 12
) -> None:
    """Sign a person's SSH key for some hours: a certificate instead of a key on every node."""
    from deploy.access.sign import access_sign as sign

    file = Path(key).expanduser().absolute()
    sign(_nodes(context, name), _project(context, name), person, file, hours=hours)


@task(help={"name": _NAME, "json": _JSON})
def access_list(context: Context, *, name: str = "", json: bool = False) -> None:
    """List whose SSH keys the nodes let in, since when and until when."""
    from deploy.access.keys import access_show

    access_show(_nodes(context, name), as_json=json)


@task(help={"name": _NAME, "fingerprint": "SHA256:…, from the machine's console"})
def trust(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's SSH host key, compared with the machine's console."""
    from deploy.node.trust import trust as pin

    pin(_project(context, name, _LOGIN), fingerprint=fingerprint)


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

    from deploy.machine.install.plan.installation import Installation

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
    from deploy.machine.install.install import install as write

    write(
        _project(context, name),
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
    from deploy.machine.rebuild import rebuild as build

    settings = _settings(context, name)
    return build(Project(_FOLDER, settings), host, wanted, fingerprint=fingerprint, seconds=timeout)


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
    from deploy.machine.media import media

    wanted = media.Customization(
        Path(image),
        _FOLDER / output,
        device,
        tuple(keyfile or ()),
        tuple(console or ()),
        tuple(append_karg or ()),
        tuple(installer_option or ()),
        force=force,
    )
    media.iso(_project(context, name), wanted, installer=installer)


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
    from deploy.machine.media import media

    wanted = media.Customization(
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
    media.pxe(Project(_FOLDER, settings), wanted, rootfs_url=rootfs_url, installer=installer)


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
    from deploy.machine.media.os_image import Wanted, os_image

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
    """Write user data and a Terraform file for a cloud provider: build/cloud/."""
    from deploy.machine.cloud.cloud import cloud as write

    write(_project(context, name), provider, domain=domain, url=url)


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
    from deploy.console import output
    from deploy.machine.vm.vm import Wanted, vm_down, vm_up

    if down:
        output.good("the machine is gone" if vm_down(_FOLDER) else "there was no machine")
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
    vm_up(_project(context, name, (*_MACHINE, "HTTPS_PORT", "HTTP_PORT")), wanted)


@task(help={"name": _NAME})
def sample_build(context: Context, *, name: str = "") -> None:
    """Build the sample app's image as IMAGE."""
    from container.sample.build import build
    from deploy.console import output

    settings = _settings(context, name, ("IMAGE",))
    output.good(f"{settings.image} is {build(settings.image, on_step=output.say)}")


@task(help={"name": _NAME, "node": _NODE})
def node_up(context: Context, *, name: str = "", node: str = "") -> None:
    """Boot a rehearsal node from build/<app>.ign and pin its host key."""
    from deploy.rehearse import nodes

    nodes.node_up(_project(context, name, _MACHINE), name=node)


@task(help={"json": _JSON})
def node_status(_: Context, *, json: bool = False) -> None:
    """List the rehearsal nodes."""
    from deploy.rehearse import nodes

    nodes.node_status(_FOLDER, as_json=json)


@task(help={"name": _NAME, "node": _NODE})
def node_reboot(context: Context, *, name: str = "", node: str = "") -> None:
    """Restart a rehearsal node and wait until it is ready again."""
    from deploy.rehearse import nodes

    nodes.node_reboot(_project(context, name, _MACHINE), name=node)


@task(help={"name": _NAME, "node": _NODE, "all": "every node of this folder"})
def node_down(context: Context, *, name: str = "", node: str = "", all: bool = False) -> None:  # noqa: A002 -- the option is called --all
    """Remove a rehearsal node and all it has."""
    from deploy.rehearse import nodes

    needed = ("KNOWN_HOSTS",) if node or all else ("PROJECT", "KNOWN_HOSTS")
    project = _project(context, name, needed)
    if all:
        nodes.node_down_all(project)
    else:
        nodes.node_down(project, node or project.settings.project)


@task(
    positional=["fault"], help={"name": _NAME, "worker": "web or jobs", "fault": "hang, crash, …"}
)
def rehearse(context: Context, fault: str, *, name: str = "", worker: str = "jobs") -> None:
    """Make a worker of the sample app hang or crash, and watch it recover."""
    from deploy.rehearse.faults import rehearse_fault

    rehearse_fault(_project(context, name, _LOGIN), fault=fault, worker=worker)


ns = commands(sys.modules[__name__])
