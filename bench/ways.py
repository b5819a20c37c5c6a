"""The ways to send an image to a node: corefab's, and the commands of other tools."""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.images import Built
from bench.relay import relayed
from tests.system.project import FAB, Project

OURS, PLAIN, ZSTD = "corefab", "podman save | load", "podman save | zstd | load"
SCP, RSYNC = "podman image scp", "rsync of OCI folder, skopeo"
# They send the same bytes, whatever the node has.
WHOLE = (PLAIN, ZSTD, SCP)
# A rival that takes longer than this is ended: how much longer is of no interest.
LIMIT_SECONDS = 45
_ENDED = 124
_SSH = 22
_OCI = "/var/tmp/oci"  # noqa: S108 -- a path of the node


class Ways:
    """A node, and every way to send an image there; `door` is where a login goes."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.address = str(project.node.address)
        self.door = f"core@{self.address}", 22
        self.home, self._layout = folder / "home", folder / "rsync"
        self.every: dict[str, Callable[[Built], None]] = {
            OURS: self.ours,
            PLAIN: self.save_load,
            ZSTD: self.save_zstd,
            SCP: self.scp,
            RSYNC: self.rsync,
        }

    def prepare(self, way: str, held: Built | None) -> None:
        """Leave the node with one image of the bench by a way, or with none."""
        self._remove_all_but(held)
        if way == RSYNC:
            self._layouts_of(held)
        if held is None and way == OURS:
            # Nor has this workstation ever read the image.
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
        if held:
            self.ours(held)

    def _remove_all_but(self, held: Built | None) -> None:
        keep = held.id if held else "none"
        self.project.ssh(
            "podman image ls -q --no-trunc --filter reference='localhost/bench*' "
            "--filter reference='*:sent' "
            f"| sort -u | sed /{keep}/d | xargs -r podman rmi -f >/dev/null; "
            "podman image prune -f >/dev/null; sync"
        )

    def _layouts_of(self, held: Built | None) -> None:
        """Have both sides keep the OCI layout of the held image, as an earlier rsync left it.

        It is made once and linked afterwards; the index is the one file that changes in place.
        """
        shutil.rmtree(self._layout, ignore_errors=True)
        self.project.ssh(f"rm -rf {_OCI}")
        if held is None:
            return
        kept, there = self.folder / f"kept-{held.id[:12]}", f"{_OCI}-{held.id[:12]}"
        if not kept.exists():
            self.rsync(held)
            shutil.copytree(self._layout, kept, copy_function=_link)
            self._link_there(_OCI, there)
            return
        shutil.copytree(kept, self._layout, copy_function=_link)
        self._link_there(there, _OCI)

    def _link_there(self, source: str, target: str) -> None:
        index = f"cp --remove-destination {source}/index.json {target}"
        self.project.ssh(f"cp -al {source} {target}; {index}")

    @property
    def ssh(self) -> str:
        """The ssh that every rival uses up to the host, with the node's key pinned."""
        pins = self.project.folder / "certs/known_hosts"
        identity = self.project.folder / "id"
        words = f"ssh -F none -i {identity} -o UserKnownHostsFile={pins} -o BatchMode=yes"
        return f"{words} -p {self.door[1]}"

    def ours(self, image: Built) -> None:
        """Send an image as corefab does."""
        done = subprocess.run(
            [FAB, "-H", f"{self.door[0]}:{self.door[1]}", "image-send"],
            cwd=self.project.folder,
            env=self.project.environment(IMAGE=image.name, IMAGE_CACHE=str(self.folder / "cache")),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "whole image" in done.stderr:
            raise RuntimeError(done.stdout + done.stderr)

    def shell(self, line: str) -> None:
        """Run a line of shell as a rival's user would type it, as long as the limit allows."""
        words = ["timeout", str(LIMIT_SECONDS), "bash", "-eo", "pipefail", "-c", line]
        done = subprocess.run(words, check=False, capture_output=True)
        if done.returncode not in {0, _ENDED}:
            raise RuntimeError(f"{line}: {done.stderr.decode(errors='replace')}")

    def save_load(self, image: Built) -> None:
        """Send an image as podman's manual says."""
        self.shell(f"podman save -q {image.name} | {self.ssh} {self.door[0]} sudo podman load")

    def save_zstd(self, image: Built, level: int = 3) -> None:
        """Send an image whole, compressed."""
        there = shlex.quote("zstd -dcq | sudo podman load -q")
        squeeze = f"zstd -q -{level} -T0"
        self.shell(f"podman save -q {image.name} | {squeeze} | {self.ssh} {self.door[0]} {there}")

    def rsync(self, image: Built) -> None:
        """Send an OCI layout by rsync, which the node keeps, and load it there by skopeo."""
        there = shlex.quote(f"sudo skopeo copy -q oci:{_OCI} containers-storage:{image.name}")
        (self._layout / "index.json").unlink(missing_ok=True)
        self.shell(
            f"podman save -q --format oci-dir --uncompressed -o {self._layout} {image.name}; "
            "rsync -a -z --zc=zstd --zl=3 --inplace --no-whole-file --rsync-path='sudo rsync' "
            f"-e {shlex.quote(self.ssh)} {self._layout}/ {self.door[0]}:{_OCI}/; "
            f"{self.ssh} {self.door[0]} {there}"
        )

    def scp(self, image: Built) -> None:
        """Send an image by podman's own copier, which takes keys of an agent."""
        name = f"bench{self.door[1]}"
        copy = f"ssh-add -q {self.project.folder}/id; podman image scp -q {image.name} {name}::"
        self.shell(f"{self._as_scp} ssh-agent bash -ec {shlex.quote(copy)}")

    def let_root_in(self) -> None:
        """Make what `podman image scp` needs: a login as root, and a connection of podman's."""
        public = (self.project.folder / "id.pub").read_text().strip()
        self.project.ssh(
            f"install -d -m 700 /root/.ssh; echo '{public}' >> /root/.ssh/authorized_keys; "
            "echo 'PermitRootLogin prohibit-password' > /etc/ssh/sshd_config.d/00-bench.conf; "
            "systemctl reload sshd || systemctl reload ssh"
        )
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / "containers.conf").touch()
        self._let_scp_in()

    def _let_scp_in(self) -> None:
        """Have podman know the door, and the key behind it."""
        pins = (self.project.folder / "certs/known_hosts").read_text()
        (self.home / ".ssh/known_hosts").write_text(pins)
        host, port = self.door[0].partition("@")[2], self.door[1]
        socket = f"ssh://root@{host}:{port}/run/podman/podman.sock"
        self.shell(f"{self._as_scp} podman system connection add bench{port} {socket}")

    @property
    def _as_scp(self) -> str:
        return f"HOME={self.home} CONTAINERS_CONF={self.home}/containers.conf"

    @contextmanager
    def relay(self, megabits: int, milliseconds: int) -> Iterator[tuple[str, int]]:
        """Run a slow line to the node; give the door to log in by, and leave `door` as it is."""
        with relayed(self.address, 22, megabits, milliseconds) as port:
            door = "core@127.0.0.1", port
            pin(self.project, port)
            with self.through(door):
                self._let_scp_in()
            yield door

    @contextmanager
    def through(self, door: tuple[str, int]) -> Iterator[None]:
        """Log in by another door as long as the block lasts."""
        before, self.door = self.door, door
        try:
            yield
        finally:
            self.door = before


def pin(project: Project, port: int, host: str = "127.0.0.1") -> None:
    """Pin the node's own keys for a port of loopback, or of a host, as well."""
    file = project.folder / "certs/known_hosts"
    keys = [line.split(None, 1)[1] for line in file.read_text().splitlines() if line]
    with file.open("a") as out:
        name = host if port == _SSH else f"[{host}]:{port}"
        out.writelines(f"{name} {key}\n" for key in dict.fromkeys(keys))


def _link(source: str, target: str) -> None:
    """Copy a file as a hard link; what changes in place, as a file of its own."""
    if source.endswith("index.json"):
        shutil.copy2(source, target)
    else:
        Path(target).hardlink_to(source)
