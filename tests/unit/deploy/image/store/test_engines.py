"""Of podman's manifest lists, the image for the node's platform is taken."""

import json
from collections.abc import Sequence

import pytest

from deploy.errors import DeployError
from deploy.image.layers.oci import RunConfig
from deploy.image.store import engines
from deploy.image.store.engines import Docker, Podman
from deploy.workstation.programs import ProgramError

LAYERS = {"Layers": ["sha256:" + "1" * 64]}


def inspected(name: str, architecture: str) -> dict[str, object]:
    return {
        "Id": name,
        "Size": 1,
        "RootFS": LAYERS,
        "Architecture": architecture,
        "Os": "linux",
    }


class Storage:
    """What podman prints of its images and of manifest lists, by name."""

    def __init__(self, images: dict[str, str], lists: dict[str, tuple[str, ...]]) -> None:
        self.images, self.lists = images, lists

    def run(self, words: Sequence[str], **_: object) -> bytes:
        name = words[-1].removeprefix("containers-storage:")
        if words[1] == "image" and name in self.images:
            return json.dumps([inspected(name, self.images[name])]).encode()
        if words[1] == "manifest" and name in self.lists:
            manifests = [
                {"digest": f"sha256:{one}", "platform": {"os": "linux", "architecture": one}}
                for one in self.lists[name]
            ]
            return json.dumps({"manifests": manifests}).encode()
        raise ProgramError("image not known", "", 125)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Storage:
    images = {
        "localhost:5000/shop:1": "amd64",
        "localhost:5000/shop@sha256:amd64": "amd64",
        "localhost:5000/shop@sha256:arm64": "arm64",
        "plain": "arm64",
    }
    found = Storage(images, {"localhost:5000/shop:1": ("amd64", "arm64")})
    monkeypatch.setattr(engines, "run", found.run)
    return found


def test_the_image_for_the_platform_is_found_in_a_list(storage: Storage) -> None:
    found = Podman("localhost:5000/shop:1").image("linux/arm64")

    assert found.id == "sha256:localhost:5000/shop@sha256:arm64"
    assert found.platforms == ("linux/arm64", "linux/amd64")


def test_a_list_without_this_machines_platform_is_read_too(storage: Storage) -> None:
    del storage.images["localhost:5000/shop:1"]
    storage.lists["localhost:5000/shop:1"] = ("arm64",)

    assert Podman("localhost:5000/shop:1").image().platforms == ("linux/arm64",)


def test_an_image_that_is_in_no_list_has_one_platform(storage: Storage) -> None:
    assert Podman("plain").image("linux/amd64").platforms == ("linux/arm64",)
    assert Docker("plain").image("linux/amd64").platforms == ("linux/arm64",)


def test_an_image_that_is_missing_keeps_its_message(storage: Storage) -> None:
    with pytest.raises(ProgramError, match="image not known"):
        Podman("gone").image()


@pytest.mark.parametrize(
    "own",
    [{"Descriptor": {"digest": "sha256:1"}}, {"GraphDriver": {"Name": "overlayfs", "Data": None}}],
    ids=["docker-28", "docker-26"],
)
def test_an_image_in_dockers_containerd_store_is_refused_with_the_way_over(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, object]
) -> None:
    shown = inspected("plain", "amd64") | own
    monkeypatch.setattr(engines, "run", lambda *_, **__: json.dumps([shown]).encode())

    with pytest.raises(DeployError, match="containerd image store") as caught:
        Docker("plain").image()

    assert "docker save plain -o image.tar" in caught.value.hint


def test_how_a_container_starts_is_read_from_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = inspected("plain", "amd64") | {"Config": {"User": "app", "Entrypoint": ["/x"]}}
    monkeypatch.setattr(engines, "run", lambda *_, **__: json.dumps([shown]).encode())

    assert Podman("plain").image().run == RunConfig("app", has_command=True)
    assert Docker("plain").image().run == RunConfig("app", has_command=True)
