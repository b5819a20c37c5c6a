"""Start, restart, list and remove nodes."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rehearsal import etc, machine, network, places, programs, provision, ready, state, stock
from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from rehearsal.node import Node, NodeStatus
from rehearsal.places import Folder
from rehearsal.ready import Login
from rehearsal.state import Record, may_change, owner_of, refuse_others

NODE_BYTES = 512 << 20
_WITHOUT_KEY = Login()
_OTHER_NAME = "use another name: set another PROJECT, or give one with `--node NAME`"
_NAME_THE_SYSTEM = ["sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"']
_RUN_IT_THERE = "run the command in that folder"


def up(  # noqa: PLR0913 -- each has a usual value
    name: str,
    ignition: Path,
    owner: Path,
    *,
    login: Login = _WITHOUT_KEY,
    kept: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Node:
    """Create a node from an Ignition file and wait until it is ready.

    It belongs to the operator's folder `owner`, and replaces a node of that folder and name. The
    file systems of its spec are folders below `kept`, if that is given, and outlive the node.
    Anything that goes wrong on the way takes the half-made node down again.
    """
    started = time.monotonic()
    folder = places.folder(name)
    programs.require()
    content = provision.config(ignition)
    outside = provision.kept_lines(ignition, kept) if kept else ""
    base = stock.tree(on_step)
    with folder.alone():
        make_way(folder, owner, on_step)
        try:
            folder.path.mkdir(mode=0o700, parents=True)
            if outside:
                folder.kept.write_text(outside, encoding="utf-8")
            record = _boot(folder, owner, base, content, on_step)
            on_step("waiting until the node is ready")
            port = ready.wait(folder, record.network, login)
        except BaseException:
            remove(folder)
            raise
        return _ready(folder, record, port, time.monotonic() - started)


def reboot(
    name: str,
    owner: Path,
    *,
    login: Login = _WITHOUT_KEY,
    seconds: float = ready.BOOT_SECONDS,
) -> Node:
    """Restart a node as `systemctl reboot` does, and wait until it is ready again."""
    started = time.monotonic()
    folder, record = _running(name)
    with folder.alone():
        refuse_others(folder, owner, _RUN_IT_THERE)
        port = ready.reboot(folder, record.network, login, seconds)
        return _ready(folder, record, port, time.monotonic() - started)


def update(
    name: str,
    owner: Path,
    *,
    rollback: bool = False,
    login: Login = _WITHOUT_KEY,
    on_step: Callable[[str], None] = lambda _: None,
) -> Node:
    """Power a node off and boot it with the other generation, as Fedora CoreOS is updated.

    /etc is merged three ways, /var stays. With `rollback`, boot the system before, with its /etc as
    it was at the update.
    """
    started = time.monotonic()
    folder, record = _running(name)
    with folder.alone():
        refuse_others(folder, owner, _RUN_IT_THERE)
        old = places.cache() / record.base
        if rollback:
            if not record.previous:
                raise RehearsalError(
                    f"node {name} was not updated", "update it first: fab rehearsal-update"
                )
            new = places.cache() / record.previous
        else:
            new = stock.tree(on_step, _other_suite(record))
        on_step(f"powering off {name}")
        ready.inside(record.network, ["systemctl", "poweroff"], 10)
        machine.await_end(folder)
        machine.stop(folder, record.network)
        if rollback:
            etc.roll_back(folder)
        else:
            etc.update(folder, old, new)
        record = replace(record, base=new.name, previous=old.name, ready=False)
        state.save(folder, record)
        on_step(f"booting the {'previous' if rollback else 'new'} system")
        machine.start(folder, new, record.network)
        machine.await_start(folder)
        port = ready.wait(folder, record.network, login)
        return _ready(folder, record, port, time.monotonic() - started)


def down(name: str, owner: Path) -> NodeStatus | None:
    """Remove a node and its files; return what it was, None if there was none."""
    folder = places.folder(name)
    programs.require()
    with folder.alone():
        refuse_others(folder, owner, _RUN_IT_THERE)
        return _take_down(folder)


def down_all(owner: Path) -> tuple[NodeStatus, ...]:
    """Remove every node of an operator's folder, and those whose folder no longer exists.

    A node of an older version, which records no folder, is removed by its name only.
    """
    own = [one for one in places.folders() if may_change(one, owner, unrecorded=False)]
    if own:
        programs.require()
    gone = []
    for folder in own:
        with folder.alone():
            # Another folder may have replaced it since it was listed.
            if may_change(folder, owner) and (found := _take_down(folder)):
                gone.append(found)
    return tuple(gone)


def make_way(folder: Folder, owner: Path, on_step: Callable[[str], None]) -> None:
    """Remove the node that a new one replaces, never another folder's; the caller has its lock."""
    refuse_others(folder, owner, _OTHER_NAME)
    if folder.path.exists():
        on_step(f"taking down the node {folder.name} that was there")
    remove(folder)


def claim_network(folder: Folder, owner: Path, base: Path) -> Record:
    """Create a node's network; record its owner first."""

    def record(found: Network) -> Record:
        return Record(found.slot, base.name, owner=str(owner.resolve()))

    return record(network.create(lambda found: state.save(folder, record(found))))


def remove(folder: Folder) -> None:
    """Remove whatever is in a node's folder; the caller holds its lock."""
    record = state.load(folder)
    machine.stop(folder, record.network if record else None)
    if record:
        network.remove(record.network)
    if folder.path.exists():
        # Journals of changes can only be appended to, by root as well.
        programs.attempt(["chattr", "-f", "-R", "-a", folder.var / "lib" / "corefab"])
        shutil.rmtree(folder.path)


def find(name: str) -> Node | None:
    """Describe a node that is up; None if it is not."""
    folder = places.folder(name)
    record = state.load(folder)
    if record is None or not record.ready or not machine.running(folder):
        return None
    found = _node(folder, record)
    return found if found.boot_id else None


def status() -> tuple[NodeStatus, ...]:
    """Describe every node, running or not."""
    return tuple(_status(folder) for folder in places.folders())


def _running(name: str) -> tuple[Folder, Record]:
    programs.require()
    folder = places.folder(name)
    record = state.load(folder)
    if record is None or not machine.running(folder):
        raise RehearsalError(f"there is no node {name} running", "make one: fab rehearsal-up")
    return folder, record


def _other_suite(record: Record) -> str:
    others = [one for one in stock.SUITES if record.base != f"base-{stock.fingerprint(one)}"]
    return others[-1]


def _take_down(folder: Folder) -> NodeStatus | None:
    found = _status(folder) if folder.path.exists() else None
    remove(folder)
    return found


def _boot(
    folder: Folder, owner: Path, base: Path, content: bytes, on_step: Callable[[str], None]
) -> Record:
    places.require_space(places.cache(), NODE_BYTES)
    places.require_layers(places.cache())
    record = claim_network(folder, owner, base)
    on_step("provisioning with Ignition")
    provision.provision(folder, base, content)
    on_step(f"booting at {record.network.address}")
    machine.start(folder, base, record.network)
    machine.await_start(folder)
    return record


def _ready(folder: Folder, record: Record, port: int, seconds: float) -> Node:
    finished = replace(record, seconds=round(seconds, 2), port=port, ready=True)
    state.save(folder, finished)
    return _node(folder, finished)


def _node(folder: Folder, record: Record) -> Node:
    failed = ready.failed_units(record.network)
    return Node(
        name=folder.name,
        address=str(record.network.address),
        address6=str(record.network.address6),
        port=record.port,
        host_keys=ready.host_keys(folder),
        boot_id=ready.boot_id(record.network),
        tree=folder.path,
        state="degraded" if failed else "running",
        failed_units=failed,
        seconds=record.seconds,
        system=ready.inside(record.network, _NAME_THE_SYSTEM, 10),
    )


def _status(folder: Folder) -> NodeStatus:
    record = state.load(folder)
    word: Literal["running", "stopped", "broken"] = "broken"
    if record and record.ready:
        word = "running" if machine.running(folder) else "stopped"
    return NodeStatus(
        name=folder.name,
        state=word,
        address=str(record.network.address) if record else "",
        port=record.port if record else ready.SSH_PORT,
        boot_id=ready.boot_id(record.network) if record else "",
        tree=folder.path,
        owner=owner_of(folder),
    )
