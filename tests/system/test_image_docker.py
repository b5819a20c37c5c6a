"""An image that a running Docker daemon keeps reaches a node with the id it was built with."""

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import Rates
from deploy.image.rate_store import RateStore
from tests.system.docker import docker
from tests.system.project import Project
from tests.unit.deploy.image.make import image, layer, write_docker

pytestmark = pytest.mark.node


def test_an_image_of_docker_arrives_and_a_change_of_it_as_a_patch(
    deployed: Project, tmp_path: Path
) -> None:
    files = {f"f{number}": secrets.token_bytes(200_000) for number in range(20)}
    base = layer({"base": secrets.token_bytes(5000)})
    first = image([base, layer(files)])
    files["f7"] = files["f7"][:1000] + b"changed" + files["f7"][1000:]
    second = image([base, layer(files)])
    sent = []
    rates = RateStore(Cache(tmp_path / "cache", 0), f"{deployed.node.address}:22")

    with docker(tmp_path) as environment:
        for made in (first, second):
            file = write_docker(made, tmp_path / "saved.tar")
            load = ["docker", "load", "-q", "-i", str(file)]
            subprocess.run(load, env=environment, check=True, capture_output=True)
            # On a fast link, a layer this small would be sent without a patch.
            rates.store(Rates(link=1e6))
            said = deployed.must(
                "image-send",
                "--events",
                IMAGE="docker-daemon:made:1",
                IMAGE_CACHE=str(tmp_path / "cache"),
                **environment,
            )
            ends = [json.loads(line) for line in said.splitlines() if '"end"' in line]
            sent.append(sum(end["sent"] for end in ends))
            deployed.ssh(f"podman image exists {made.id}")

    deployed.must("prune")
    assert sent[0] > 4_000_000
    assert sent[1] < 4_000
