from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from container.sample.build import build, lay_out_app
from tests.images import remove_images
from tests.unit.container.conftest import require
from tests.unit.container.process import Program

pytestmark = pytest.mark.program
TAG = f"localhost/corefab-test-sample-{os.getpid()}:latest"
# As the node runs it: read-only tree, a user without a name, nothing but the mounts.
RUN = """
set -eu
tree=$(podman image mount {tag})
mount --bind "$tree" "$tree" && mount -o remount,bind,ro "$tree"
mount -t proc proc "$tree/proc" && mount --rbind /dev "$tree/dev"
mount --bind {tls} "$tree/etc/tls"
mount -t tmpfs -o mode=0755 none "$tree/run/secrets" && cp {tls}/cert_pass "$tree/run/secrets/"
mount -t tmpfs -o mode=0700,uid=54321 none "$tree/run/tls"
exec env -i BIND=127.0.0.1 HTTPS_PORT={port} {environment} \
  chroot --userspec=54321:54321 --groups= "$tree" {entrypoint}
"""


def podman(*arguments: str) -> str:
    done = subprocess.run(("podman", *arguments), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    for program in ("podman", "mmdebstrap"):
        require(program)
    if os.getuid():
        pytest.skip("building the image needs root")
    yield build(TAG)
    remove_images(TAG)


def test_building_again_gives_the_same_image(image: str) -> None:
    remove_images(TAG)

    assert build(TAG) == image


def test_the_image_says_what_it_is(image: str, tmp_path: Path) -> None:
    config = json.loads(podman("image", "inspect", image))[0]["Config"]

    assert config["Labels"]["org.opencontainers.image.title"] == "corefab sample"
    assert config["Labels"]["org.opencontainers.image.version"] == lay_out_app(tmp_path / "app")
    assert config["Entrypoint"][0] == "/usr/bin/python3"


def test_a_changed_version_changes_only_the_last_layers(image: str) -> None:
    other = build(TAG, version="other")
    layers = [json.loads(podman("image", "inspect", one))[0]["RootFS"]["Layers"]
              for one in (image, other)]  # fmt: skip

    assert other != image
    assert layers[0] == layers[1]


def test_it_serves_from_a_read_only_tree_as_a_user_without_a_name(
    image: str, tls: Path, free_port: int, start: Callable[..., Program]
) -> None:
    (tls / "server.key.enc").chmod(0o644)
    tls.chmod(0o755)
    config = json.loads(podman("image", "inspect", image))[0]["Config"]
    script = RUN.format(
        tag=image, tls=tls, port=free_port, environment=" ".join(config["Env"]),
        entrypoint=" ".join(config["Entrypoint"]),
    )  # fmt: skip

    program = start("unshare", "--mount", "bash", "-c", script)

    program.until("ready: every worker is healthy")
    assert "serves on" in program.output
    status = Path(f"/proc/{program.pid}/status").read_text()
    assert "Uid:\t54321\t54321\t54321\t54321" in status
