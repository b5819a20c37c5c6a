"""An image is sent to several nodes; a node that fails does not affect the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.send import image_send
from deploy.image.verify import image_verify
from deploy.node import session
from deploy.node.state import NodeState
from deploy.project import Project
from tests.unit.deploy.examples import fresh, settings
from tests.unit.deploy.fake_remote import FakeRemote, lost, refusal
from tests.unit.deploy.image.make import Made, image, join_platforms, layer, write_layout

MADE = image([layer({"a": b"1"}), layer({"b": b"2"})])


def having(made: Made) -> NodeState:
    return fresh(layers={made.id: tuple(made.diff_ids)})


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeRemote]:
    """Hand out the nodes by address; a login to any other address fails."""
    known: dict[str, FakeRemote] = {}

    @contextmanager
    def open_session(project: Project, *_: object, **__: object) -> Iterator[FakeRemote]:
        if project.settings.node_address not in known:
            raise lost()
        yield known[project.settings.node_address]

    monkeypatch.setattr(session, "open_session", open_session)
    return known


def project(folder: Path, address: str) -> Project:
    layout = write_layout(MADE, folder / "layout")
    own = {"IMAGE": f"oci:{layout}", "IMAGE_CACHE": str(folder / "cache"), "NODE_ADDRESS": address}
    return Project(folder, settings(**own))


def answering(state: NodeState, **answers: object) -> FakeRemote:
    return FakeRemote(answers={"probe": state.model_dump_json(), **answers})  # type: ignore[dict-item]


def test_an_image_that_the_node_has_is_not_sent_and_named(
    nodes: dict[str, FakeRemote], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes["web1"] = answering(having(MADE))

    image_send([project(tmp_path, "web1")], events=False)

    assert nodes["web1"].scripts == ["probe", "tag-image"]
    assert nodes["web1"].the("tag-image").arguments == ("shop-www", "sent", MADE.id)
    assert "nothing to send: web1 already has" in capsys.readouterr().out


def test_an_image_for_another_platform_is_not_sent(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    nodes["web1"] = answering(fresh(machine="aarch64"))

    with pytest.raises(DeployError, match="is for linux/amd64, and the node is linux/arm64"):
        image_send([project(tmp_path, "web1")], events=False)

    assert nodes["web1"].scripts == ["probe"]


def test_of_an_index_the_image_for_the_node_is_sent(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    arm = image([layer({"a": b"arm"})], architecture="arm64")
    nodes["web1"] = answering(fresh(machine="aarch64"), **{"receive-image": "proven\n"})
    both = project(tmp_path, "web1")
    join_platforms(write_layout(arm, tmp_path / "layout"))

    image_send([both], events=False)

    assert nodes["web1"].the("receive-image").arguments == ("shop-www", arm.id)


def test_each_of_several_nodes_gets_the_image_for_its_platform(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    arm = image([layer({"a": b"arm"})], architecture="arm64")
    for name, machine in {"web1": "x86_64", "web2": "aarch64", "web3": "aarch64"}.items():
        nodes[name] = answering(fresh(machine=machine), **{"receive-image": "proven\n"})
    several = [project(tmp_path, name) for name in nodes]
    join_platforms(write_layout(arm, tmp_path / "layout"))

    image_send(several, events=False)

    sent = [nodes[name].the("receive-image").arguments[1] for name in nodes]
    assert sent == [MADE.id, arm.id, arm.id]


def test_a_layer_that_podman_refuses_is_sent_once(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    said = "podman cannot unpack a layer of the image: archive/tar: invalid tar header"
    nodes["web1"] = answering(fresh(), **{"receive-image": refusal(said, 7)})

    with pytest.raises(DeployError, match="podman cannot unpack a layer") as caught:
        image_send([project(tmp_path, "web1")], events=False)

    assert nodes["web1"].scripts == ["probe", "receive-image"]
    assert "build the image again" in caught.value.hint


def test_a_node_that_fails_does_not_affect_the_others(
    nodes: dict[str, FakeRemote], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes["web1"] = answering(fresh())

    with pytest.raises(DeployError, match="1 of 2 nodes did not receive the image"):
        image_send([project(tmp_path, one) for one in ("web0", "web1")], events=False)

    assert nodes["web1"].scripts == ["probe", "receive-image"]
    assert nodes["web1"].the("receive-image").arguments == ("shop-www", MADE.id)
    said = capsys.readouterr()
    assert "web0: the connection to the node was lost" in said.out + said.err


def test_a_damaged_transfer_is_repeated_from_the_new_state(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    nodes["web1"] = answering(fresh(), **{"receive-image": [refusal("damaged", 5), "proven\n"]})

    image_send([project(tmp_path, "web1")], events=False)

    assert nodes["web1"].scripts == ["probe", "receive-image", "probe", "receive-image"]


def test_an_image_that_the_node_lacks_cannot_be_verified(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    nodes["web1"] = answering(fresh())

    with pytest.raises(DeployError, match="the node does not have") as caught:
        image_verify(project(tmp_path, "web1"))

    assert "fab image-send" in caught.value.hint


def test_an_invalid_answer_to_verify_is_refused(
    nodes: dict[str, FakeRemote], tmp_path: Path
) -> None:
    nodes["web1"] = answering(having(MADE), **{"verify-image": "not base64!"})

    with pytest.raises(DeployError, match="the node's list of the image's files cannot be read"):
        image_verify(project(tmp_path, "web1"))


def test_what_cannot_be_compared_has_an_exit_code_of_its_own(
    nodes: dict[str, FakeRemote], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = image([layer({"a": b"", ".wh.a": b""})])
    nodes["web1"] = answering(having(odd))
    own = {"IMAGE": f"oci:{write_layout(odd, tmp_path / 'odd')}", "NODE_ADDRESS": "web1"}
    given = settings(**own, IMAGE_CACHE=str(tmp_path / "cache"))

    assert image_verify(Project(tmp_path, given)) == 3
    assert "cannot be compared path by path" in capsys.readouterr().err
