"""Provision a node's /etc and /var with Ignition, as on a first boot."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rehearsal import cgroup, programs, state
from rehearsal.errors import RehearsalError
from rehearsal.places import Folder

HERE = Path(__file__).parent
ROOT = Path("/run/corefab/root")  # the node's tree, in its private mount namespace only
NEWEST = (3, 3, 0)  # what Debian's Ignition 2.14 reads

# The stock node makes this user whatever the machine spec says.
CORE: dict[str, Any] = {
    "ignition": {"version": "3.3.0"},
    "passwd": {"users": [{"name": "core", "groups": ["adm", "sudo", "systemd-journal", "wheel"]}]},
}


def config(path: Path, *, disks: bool = False) -> bytes:
    """Merge a machine's Ignition file with the stock node's.

    A node without disks of its own leaves out what is said of them: its folder holds it all.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RehearsalError(
            f"{path}: cannot be read: {error.strerror}", "make it first: fab prepare"
        ) from error
    whole = _checked(path, content)
    own = whole if disks else _without_disks(whole)
    parts = [json.dumps(CORE).encode(), json.dumps(own).encode()]
    merge = [{"source": f"data:;base64,{base64.b64encode(part).decode()}"} for part in parts]
    return json.dumps({"ignition": {"version": "3.3.0", "config": {"merge": merge}}}).encode()


def kept_lines(path: Path, outside: Path) -> str:
    """Give each file system of a machine spec a folder below `outside`, named by its label.

    Returns a line for each: the folder, a tab, and where the machine has it.
    """
    whole = _checked(path, path.read_bytes())
    found = whole.get("storage", {}).get("filesystems", [])
    if not found:
        raise RehearsalError(
            f"{path} has no file system that could outlive the node",
            "set DATA_PARTITION, then fab prepare",
        )
    names = [str(one.get("label") or one["device"]).rpartition("/")[2] for one in found]
    pairs = zip(names, found, strict=True)
    return "".join(f"{outside.absolute() / name}\t{one['path']}\n" for name, one in pairs)


def provision(folder: Folder, base: Path, content: bytes) -> None:
    """Copy the stock /etc and /var, then run Ignition's fetch and files stages."""
    for name in ("etc", "var"):
        programs.run(
            ["cp", "--archive", "--reflink=auto", base / name, folder.path],
            doing="copying the stock system",
        )
    first_boot(folder, base, content)


def first_boot(
    folder: Folder,
    base: Path,
    content: bytes,
    *,
    disks: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Run Ignition as a first boot does; `disks` replaces its disks stage."""
    _suit_the_kernel(folder)
    state.write_private(folder.ignition, content)
    _ignite(folder, base, "fetch")
    if disks:
        disks(json.loads(_cache(folder).read_text(encoding="utf-8")))
    _ignite(folder, base, "mount", "files")
    # Fedora's systemd applies presets in full on a first boot, Debian's only those that enable.
    command = ["chroot", str(ROOT), "systemctl", "preset-all", "--quiet"]
    programs.run(inside(folder, base, command), doing="applying the presets")


def inside(folder: Folder, base: Path, command: list[str]) -> list[str]:
    """Wrap a command so that it sees the node's tree, in a mount namespace of its own."""
    ROOT.parent.mkdir(exist_ok=True)
    return [
        *("unshare", "--mount", "--propagation", "private", "--"),
        *(str(HERE / "assemble.sh"), str(base), str(folder.path), str(ROOT), *command),
    ]


def _checked(path: Path, content: bytes) -> dict[str, Any]:
    try:
        whole: dict[str, Any] = json.loads(content)
        version = str(whole["ignition"]["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise RehearsalError(
            f"{path}: not an Ignition config", "make it again: fab prepare"
        ) from error
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", version)
    if not match or tuple(map(int, match.groups())) > NEWEST:
        raise RehearsalError(
            f"{path}: Ignition spec {version}; a rehearsal node reads up to 3.3.0",
            "use Butane variant fcos, version 1.4.0, for what you rehearse",
        )
    return whole


def _without_disks(config: dict[str, Any]) -> dict[str, Any]:
    storage, systemd = config.get("storage", {}), config.get("systemd", {})
    mounts = {_mount_unit(one["path"]) for one in storage.get("filesystems", [])}
    kept = {key: value for key, value in storage.items() if key not in {"disks", "filesystems"}}
    units = [unit for unit in systemd.get("units", []) if unit["name"] not in mounts]
    return config | {"storage": kept, "systemd": systemd | {"units": units}}


def _mount_unit(path: str) -> str:
    words = ["systemd-escape", "--path", "--suffix=mount", path]
    return programs.run(words, doing="naming a mount unit").strip()


def _cache(folder: Folder) -> Path:
    return folder.path / "ignition.json"


def _ignite(folder: Folder, base: Path, *stages: str) -> None:
    # What one stage mounts, the next one needs: they share a mount namespace.
    text = 'for stage in $STAGES; do "$@" --stage="$stage"; done'
    words = [
        *("bash", "-euc", text, "ignite"),
        *(str(programs.IGNITION), "--platform=file", "--log-to-stdout"),
        *(f"--root={ROOT}", f"--config-cache={_cache(folder)}"),
    ]
    env = {
        "IGNITION_CONFIG_FILE": str(folder.ignition),
        "PATH": f"{HERE / 'stand-ins'}:/usr/sbin:/usr/bin:/sbin:/bin",
        "STAGES": " ".join(stages),
    }
    result = programs.attempt(inside(folder, base, words), env=env)
    if result.returncode:
        said = [line for line in result.stdout.splitlines() if "CRITICAL" in line or "ERR" in line]
        raise RehearsalError(
            f"Ignition refused the machine spec in its {stages[-1]} stage",
            "\n".join(said) or result.stderr.strip(),
        )


def _suit_the_kernel(folder: Folder) -> None:
    if "pids" in cgroup.controllers():
        return
    drop_in = folder.etc / "containers" / "containers.conf.d" / "90-rehearsal.conf"
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(
        "# This kernel counts no processes in cgroup v2.\n[containers]\npids_limit = 0\n",
        encoding="utf-8",
    )
