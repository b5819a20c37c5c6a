"""Publishing sends what the registry lacks, signs it, and moves the tag last."""

import gzip
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from certs.detached import public_key, public_pem
from certs.keyfile import new_key
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.publish import publish
from tests.unit.deploy.image.make import (
    Made,
    image,
    join_platforms,
    layer,
    noise,
    write_docker,
    write_layout,
)
from tests.unit.deploy.registry.conftest import project_at
from tests.unit.deploy.registry.fake_registry import Asked, FakeRegistry, answering, digest

pytestmark = pytest.mark.loopback
REPO = "shop/www"


def live(registry: FakeRegistry, tag: str = "live") -> str:
    return digest(registry.manifests[REPO, tag][1])


def signatures(registry: FakeRegistry, image: str) -> list[Any]:
    found = registry.json(REPO, f"{image.replace(':', '-')}.sig")["layers"]
    return [json.loads(registry.blobs[REPO, one["digest"]]) for one in found]


def send(project: Project, tag: str = "", platform: str = "") -> None:
    publish(project, tag=tag, platform=platform)


def test_blobs_go_first_then_the_manifest_the_signature_and_the_tag(
    project: Project, registry: FakeRegistry
) -> None:
    send(project)

    order = [re.sub("[0-9a-f]{64}", "…", one) for one in registry.written]
    blobs = order.index("sha256:…")
    assert set(order[:blobs]) == {"blob"}
    assert order[blobs:] == ["sha256:…", "blob", "blob", "sha256-….sig", "live"]


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_the_image_keeps_its_id_and_its_layers_can_be_unpacked(
    tmp_path: Path, registry: FakeRegistry, made: Made, form: str
) -> None:
    write_layout(made, tmp_path / "image")

    send(project_at(tmp_path, registry, PUBLISH_FORMAT=form))

    manifest = registry.json(REPO, "live")
    assert manifest["config"]["digest"] == made.id
    assert registry.blobs[REPO, made.id] == made.config
    assert unpacked_layers(registry, manifest) == made.diff_ids


def unpacked_layers(registry: FakeRegistry, manifest: Any) -> list[str]:
    """Unpack each layer with what it says it is."""
    found = []
    for one in manifest["layers"]:
        packed = registry.blobs[REPO, one["digest"]]
        assert len(packed) == one["size"]
        form = one["mediaType"].rpartition("+")[2]
        if form == "gzip":
            plain = gzip.decompress(packed)
        else:
            reader = zstandard.ZstdDecompressor().stream_reader
            plain = reader(io.BytesIO(packed), read_across_frames=True).read()
        found.append(digest(plain))
    return found


def test_publishing_again_sends_nothing(project: Project, registry: FakeRegistry) -> None:
    send(project)
    before = len(registry.written)

    send(project)

    assert registry.written[before:] == []


def test_a_changed_image_sends_its_changed_layer_alone(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project)
    first, before = live(registry), len(registry.written)
    write_image(project, made, b"two")

    send(project)

    blobs = [one for one in registry.written[before:] if one == "blob"]
    assert len(blobs) == len(["layer", "config", "signature", "config of signatures"])
    assert live(registry) != first


def write_image(project: Project, made: Made, content: bytes) -> None:
    shutil.rmtree(project.folder / "image", ignore_errors=True)
    write_layout(image([made.layers[0], layer({"app": content})]), project.folder / "image")


def test_a_workstation_with_another_cache_makes_the_same_manifest(
    project: Project, registry: FakeRegistry, tmp_path: Path
) -> None:
    send(project)
    first = live(registry)

    send(project_at(tmp_path, registry, IMAGE_CACHE="other"), tag="again")

    assert live(registry, "again") == first


def test_what_the_registry_has_lost_is_sent_again(project: Project, registry: FakeRegistry) -> None:
    send(project)
    lost = registry.json(REPO, "live")["layers"][0]["digest"]
    del registry.blobs[REPO, lost]

    send(project)

    assert (REPO, lost) in registry.blobs


def test_a_layer_is_taken_from_another_repository_of_the_registry(
    project: Project, registry: FakeRegistry, tmp_path: Path
) -> None:
    send(project)
    before = len(registry.written)

    send(project_at(tmp_path, registry, PULL=f"{registry.address}/shop/api:live"))

    layers = registry.json("shop/api", "live")["layers"]
    assert all(("shop/api", one["digest"]) in registry.blobs for one in layers)
    blobs = [one for one in registry.written[before:] if one == "blob"]
    assert len(blobs) == len(["config", "signature", "config of signatures"])


def test_the_signature_covers_tag_digest_and_order(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project)
    first = live(registry)
    write_image(project, made, b"two")
    send(project)

    [old], [new] = signatures(registry, first), signatures(registry, live(registry))

    assert new["critical"] == {
        "identity": {"docker-reference": f"{registry.address}/shop/www:live"},
        "image": {"docker-manifest-digest": live(registry)},
        "type": "cosign container image signature",
    }
    assert new["optional"]["previous"] == first
    assert new["optional"]["sequence"] > old["optional"]["sequence"]
    assert "previous" not in old["optional"]


def test_another_tag_is_moved_where_one_is_given(project: Project, registry: FakeRegistry) -> None:
    send(project, tag="staging")

    assert (REPO, "live") not in registry.manifests
    assert (REPO, "staging") in registry.manifests


@pytest.mark.parametrize("tag", ["", "-x", "a/b", "sha256-" + "a" * 64 + ".sig", "a" * 129])
def test_what_cannot_be_a_tag_is_refused_before_anything_is_sent(
    project: Project, registry: FakeRegistry, tag: str
) -> None:
    with pytest.raises(DeployError, match="cannot be a tag"):
        send(project, tag=tag or " ")

    assert registry.asked == []


def test_without_a_registry_nothing_is_made(tmp_path: Path, registry: FakeRegistry) -> None:
    with pytest.raises(DeployError, match="PULL is not set"):
        send(project_at(tmp_path, registry, PULL=""))

    assert not list(tmp_path.iterdir())


def test_the_tag_stays_where_it_was_when_the_signature_is_refused(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project)
    first = live(registry)
    write_image(project, made, b"two")
    registry.moods.append(answering(403, method="PUT", ending=".sig"))

    with pytest.raises(DeployError, match=r"writing sha256-.*failed: 403"):
        send(project)

    assert live(registry) == first


def test_a_tag_that_another_workstation_moves_meanwhile_is_left(
    project: Project, registry: FakeRegistry, made: Made
) -> None:
    send(project)
    write_image(project, made, b"two")
    other = b'{"schemaVersion":2}'

    def moved(asked: Asked) -> bool:
        if asked.method == "PUT" and asked.path.endswith(".sig"):
            kind = registry.manifests[REPO, "live"][0]
            registry.manifests[REPO, "live"] = kind, other
        return False

    registry.moods.append(moved)
    with pytest.raises(DeployError, match="moved by someone else"):
        send(project)

    assert registry.manifests[REPO, "live"][1] == other


def test_a_signature_that_another_workstation_overwrites_is_written_again(
    project: Project, registry: FakeRegistry
) -> None:
    registry.once(answering(201, method="PUT", ending=".sig"))
    send(project)

    assert len(signatures(registry, live(registry))) == 1
    assert len([one for one in registry.written if one.endswith(".sig")]) == 2


def test_a_strangers_signature_of_the_same_image_is_kept(
    project: Project, registry: FakeRegistry, tmp_path: Path
) -> None:
    send(project)
    (tmp_path / "other").mkdir()
    write_layout_of(project, tmp_path / "other")
    send(project_at(tmp_path / "other", registry))

    assert len(signatures(registry, live(registry))) == 2


def write_layout_of(project: Project, folder: Path) -> None:
    (folder / "image").symlink_to(project.folder / "image")


def test_an_unsigned_image_under_the_tag_is_never_one_to_go_back_to(
    project: Project, registry: FakeRegistry, made: Made, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    write_layout_of(project, tmp_path / "other")
    send(project_at(tmp_path / "other", registry))
    write_image(project, made, b"two")

    send(project)

    [signed] = signatures(registry, live(registry))
    assert "previous" not in signed["optional"]


def test_a_clock_that_was_ahead_does_not_stop_the_next_image(
    project: Project, registry: FakeRegistry, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.registry.publisher.time.time_ns", lambda: 2**52 * 1_000_000)
    send(project)
    monkeypatch.undo()
    write_image(project, made, b"two")

    send(project)

    [signed] = signatures(registry, live(registry))
    assert signed["optional"]["sequence"] == 2**52 + 1


def test_a_key_that_nodes_do_not_know_signs_nothing(
    project: Project, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "other.pub").write_bytes(public_pem(public_key(new_key())))

    with pytest.raises(DeployError, match="PULL_KEYS does not name"):
        send(project_at(tmp_path, registry, PULL_KEYS="other.pub"))

    assert registry.asked == []


def test_the_public_key_is_written_at_the_first_image(project: Project) -> None:
    send(project)

    load_pem_public_key(project.publish_key.read_bytes())
    key = project.material / "authority/publish.key.enc"
    assert b"ENCRYPTED" in key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600


def test_an_image_of_docker_is_published_as_an_oci_image_of_the_same_id(
    tmp_path: Path, registry: FakeRegistry, made: Made
) -> None:
    write_docker(made, tmp_path / "image.tar")

    send(project_at(tmp_path, registry, IMAGE="docker-archive:image.tar"))

    manifest = registry.json(REPO, "live")
    assert manifest["config"]["digest"] == made.id
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"


def test_a_platform_is_chosen_where_there_are_several(
    tmp_path: Path, registry: FakeRegistry
) -> None:
    arm, amd = (
        image([layer({name: noise(100)})], architecture=name) for name in ("arm64", "amd64")
    )
    for one in (arm, amd):
        write_layout(one, tmp_path / "image")
    join_platforms(tmp_path / "image")
    project = project_at(tmp_path, registry)

    with pytest.raises(DeployError, match="several platforms") as refused:
        send(project)
    assert "--platform linux/" in refused.value.hint
    with pytest.raises(DeployError, match="not for linux/riscv64"):
        send(project, platform="linux/riscv64")
    send(project, platform="linux/arm64")

    assert registry.json(REPO, "live")["config"]["digest"] == arm.id


def test_a_damaged_layer_of_the_cache_is_removed_and_not_published(
    project: Project, registry: FakeRegistry, made: Made, tmp_path: Path
) -> None:
    send(project, tag="before")
    (project.image_cache / "layers" / made.diff_ids[1][7:]).write_bytes(made.layers[0])
    gzip = project_at(tmp_path, registry, PUBLISH_FORMAT="gzip")

    with pytest.raises(DeployError, match="was damaged"):
        send(gzip)
    assert (REPO, "live") not in registry.manifests
    send(gzip)

    assert registry.json(REPO, "live")["config"]["digest"] == made.id


def test_zstd_chunked_of_an_archive_is_refused_with_what_to_do(
    tmp_path: Path, registry: FakeRegistry, made: Made
) -> None:
    write_layout(made, tmp_path / "image")

    with pytest.raises(DeployError, match="podman makes") as refused:
        send(project_at(tmp_path, registry, PUBLISH_FORMAT="zstd:chunked"))
    assert "podman pull oci:image" in refused.value.hint
