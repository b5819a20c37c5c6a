"""Receipts where they are kept: in the operator's folder, and on the node."""

import base64
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from deploy.node.answer import ReleaseName, Value, read_answer, reading
from deploy.node.command import Command
from deploy.node.file import File, pack
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.receipt.plan.chain import NodeRelease
from deploy.receipt.plan.receipt import Signed
from deploy.workstation.files import write_atomically

_SUFFIX, _SIGNATURE = ".json", ".json.sig"
# A file that a release may be called after: what else lies in the folder is not ours.
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}")
_MOST_RECEIPTS = 100_000
_BASE64 = "^[A-Za-z0-9+/=]*$"


class NodeReceipt(Value):
    """A receipt as a node sends it: content and signature in base64."""

    release: ReleaseName
    content: Annotated[str, Field(max_length=1 << 21, pattern=_BASE64)]
    signature: Annotated[str, Field(max_length=1 << 15, pattern=_BASE64)]


class NodeReceipts(Value):
    """The answer to `receipts`; asked for the last one only, a node lists no releases."""

    receipts: Annotated[tuple[NodeReceipt, ...], Field(max_length=_MOST_RECEIPTS)]
    releases: tuple[NodeRelease, ...]


def folder_of(project: Project) -> Path:
    """Name the folder of an app's receipts: one for each of its nodes."""
    settings = project.settings
    return project.receipts / settings.app / (settings.node_address or "node")


def kept(project: Project) -> tuple[Signed, ...]:
    """Read the receipts that are kept here, the oldest first."""
    names = sorted(
        path.name.removesuffix(_SUFFIX) for path in folder_of(project).glob(f"*{_SUFFIX}")
    )
    return tuple(_kept(project, name) for name in names if _NAME.fullmatch(name))


def keep(project: Project, one: Signed) -> None:
    """Keep a receipt here, its signature first.

    Raises:
        DeployError: when it cannot be written.
    """
    folder = folder_of(project)
    write_atomically(folder / f"{one.release}{_SIGNATURE}", one.signature, 0o644)
    write_atomically(folder / f"{one.release}{_SUFFIX}", one.content, 0o644)


def on_node(remote: Remote, app: str) -> tuple[tuple[Signed, ...], tuple[NodeRelease, ...]]:
    """Read a node's receipts of an app, the oldest first, and the releases that it keeps.

    Raises:
        DeployError: when the node does not answer, or with what is too large or no receipts.
    """
    answer = _ask(remote, app, "all")
    return tuple(map(_signed, answer.receipts)), answer.releases


def last_on_node(remote: Remote, app: str) -> Signed | None:
    """Read the last receipt of an app on a node; None where there is none.

    Raises:
        DeployError: as on_node.
    """
    answer = _ask(remote, app, "last")
    return _signed(answer.receipts[-1]) if answer.receipts else None


def give(remote: Remote, app: str, receipts: Iterable[Signed]) -> None:
    """Give a node receipts that it lacks, or in place of changed ones.

    Raises:
        DeployError: when it does not take them.
    """
    packed = pack(file for one in receipts for file in files(one, one.release))
    remote.checked(Command("receipts-keep", (app,), packed), "keeping receipts on the node")


def files(one: Signed, name: str) -> tuple[File, File]:
    """Give the files of a receipt, called `name`."""
    return File(f"{name}{_SIGNATURE}", one.signature), File(f"{name}{_SUFFIX}", one.content)


def _kept(project: Project, release: str) -> Signed:
    place = folder_of(project)
    signature = place / f"{release}{_SIGNATURE}"
    return Signed(
        release,
        (place / f"{release}{_SUFFIX}").read_bytes(),
        signature.read_bytes() if signature.exists() else b"",
    )


def _ask(remote: Remote, app: str, which: str) -> NodeReceipts:
    text = remote.checked(Command("receipts", (app, which)), f"reading the receipts of {app}")
    return read_answer(NodeReceipts, text, "the node's receipts", app=app)


def _signed(one: NodeReceipt) -> Signed:
    with reading("the node's receipts"):
        content, signature = (
            base64.b64decode(text, validate=True) for text in (one.content, one.signature)
        )
        return Signed(one.release, content, signature)
