"""The verbs: a node comes up, reboots, goes down."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rehearsal import (
    disk,
    lock,
    machine,
    network,
    places,
    programs,
    provision,
    ready,
    state,
    stock,
)
from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from rehearsal.node import Node, NodeStatus
from rehearsal.places import Folder
from rehearsal.ready import Health, Login, Watch
from rehearsal.state import Record

NODE_BYTES = 512 << 20


def _quietly(_: str) -> None:
    """Say nothing."""


def up(
    name: str,
    ignition: Path,
    *,
    identity: Path | None = None,
    user: str = "core",
    on_step: Callable[[str], None] = _quietly,
) -> Node:
    """Make a fresh node of an Ignition file and wait until it is ready; replaces one of that name.

    Anything that goes wrong on the way takes the half-made node down again.
    """
    started = time.monotonic()
    folder = places.folder(name)
    programs.require()
    content = provision.config(ignition)
    base = stock.tree(on_step)
    with _alone(folder):
        if folder.path.exists():
            on_step(f"taking down the node {name} that was there")
            remove(folder)
        try:
            record = _boot(folder, base, content, on_step)
            on_step("waiting until the node is ready")
            health = Watch(folder, record.network).up(Login(user, identity))
        except BaseException:
            remove(folder)
            raise
        return _ready(folder, record, health, time.monotonic() - started)


def reboot(
    name: str,
    *,
    identity: Path | None = None,
    user: str = "core",
    seconds: float = ready.BOOT_SECONDS,
) -> Node:
    """Restart a node as `systemctl reboot` does, and wait until it is ready again."""
    started = time.monotonic()
    folder, record = _existing(name)
    with _alone(folder):
        before = ready.boot_id(record.network)
        ready.inside(record.network, ["systemctl", "reboot"], 10)
        health = Watch(folder, record.network, seconds).up(Login(user, identity), other_than=before)
        return _ready(folder, record, health, time.monotonic() - started)


def down(name: str) -> bool:
    """Remove a node and all it has; false when there was none."""
    folder = places.folder(name)
    programs.require()
    with _alone(folder):
        there = folder.path.exists()
        remove(folder)
    return there


def down_all() -> tuple[str, ...]:
    """Remove every node; returns their names."""
    return tuple(folder.name for folder in places.folders() if down(folder.name))


def remove(folder: Folder) -> None:
    """Take down whatever a folder holds; the caller has its lock."""
    record = state.load(folder)
    machine.stop(folder, record.network if record else None)
    if record:
        network.remove(record.network)
    if folder.path.exists():
        shutil.rmtree(folder.path)


def find(name: str) -> Node | None:
    """Describe a node that is up; nothing when there is none."""
    folder = places.folder(name)
    record = state.load(folder)
    if record is None or not record.ready or not machine.running(folder):
        return None
    failed = ready.failed_units(record.network)
    word = "degraded" if failed else "running"
    health = Health(ready.boot_id(record.network), word, failed, record.port)
    return _node(folder, record, health) if health.boot_id else None


def status() -> tuple[NodeStatus, ...]:
    """Describe every node there is, whatever became of it."""
    return tuple(_status(folder) for folder in places.folders())


def _boot(folder: Folder, base: Path, content: bytes, on_step: Callable[[str], None]) -> Record:
    disk.require_space(places.cache(), NODE_BYTES)
    disk.require_layers(places.cache())
    folder.path.mkdir(mode=0o700, parents=True)

    def claim(found: Network) -> None:
        state.save(folder, Record(found.slot, base.name))

    joined = network.create(claim)
    on_step("provisioning with Ignition")
    provision.provision(folder, base, content)
    on_step(f"booting at {joined.address}")
    machine.start(folder, base, joined)
    machine.await_start(folder)
    return Record(joined.slot, base.name)


def _existing(name: str) -> tuple[Folder, Record]:
    folder = places.folder(name)
    record = state.load(folder)
    if record is None or not machine.running(folder):
        raise RehearsalError(f"there is no node {name} running", "make one: fab node-up")
    return folder, record


def _alone(folder: Folder) -> AbstractContextManager[None]:
    return lock.held(folder.path.with_suffix(".lock"))


def _ready(folder: Folder, record: Record, health: Health, seconds: float) -> Node:
    finished = replace(record, seconds=round(seconds, 2), port=health.port, ready=True)
    state.save(folder, finished)
    return _node(folder, finished, health)


def _node(folder: Folder, record: Record, health: Health) -> Node:
    return Node(
        name=folder.name,
        address=str(record.network.address),
        address6=str(record.network.address6),
        port=health.port,
        host_keys=ready.host_keys(folder),
        boot_id=health.boot_id,
        tree=folder.path,
        state="degraded" if health.state == "degraded" else "running",
        failed_units=health.failed_units,
        seconds=record.seconds,
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
        boot_id=ready.boot_id(record.network) if record else "",
        tree=folder.path,
    )
