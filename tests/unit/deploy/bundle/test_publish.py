"""A node's configuration is published as a signed bundle, for the machines that were made here."""

import fcntl
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deploy.bundle import send
from deploy.bundle.plan.content import Contents
from deploy.bundle.present import present
from deploy.bundle.publish import publish_node
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.spec.prepare import prepare
from deploy.spec.spec import spec_from_settings
from tests.unit.deploy.bundle.conftest import project_of
from tests.unit.deploy.registry.fake_registry import FakeRegistry, digest

pytestmark = [pytest.mark.loopback, pytest.mark.program]
REPO = "shop/nodes/shop1"


def published(registry: FakeRegistry) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read what the tag names: bundle.json and the files."""
    (layer,) = registry.json(REPO, "now")["layers"]
    plain = gzip.decompress(registry.blobs[REPO, layer["digest"]])
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        files = {one.name: archive.extractfile(one) for one in archive}
        found = {name: file.read() for name, file in files.items() if file}
    return json.loads(found["bundle.json"]), found


def test_a_bundle_is_signed_for_its_tag_before_the_tag_names_it(
    project: Project, registry: FakeRegistry
) -> None:
    publish_node(project)

    now = digest(registry.manifests[REPO, "now"][1])
    (signature,) = registry.json(REPO, f"{now.replace(':', '-')}.sig")["layers"]
    stated = json.loads(registry.blobs[REPO, signature["digest"]])
    tag = f"{registry.address}/{REPO}:now"
    assert stated["critical"]["identity"]["docker-reference"] == tag
    assert stated["critical"]["image"]["docker-manifest-digest"] == now
    assert registry.written[-1] == "now"
    assert registry.written[-2].endswith(".sig")


def test_it_has_what_the_machine_spec_has(project: Project, registry: FakeRegistry) -> None:
    publish_node(project)

    head, files = published(registry)
    spec = spec_from_settings(project)
    assert (head["node"], head["files"]["spec"]) == ("shop1", spec.sha256)
    assert head["files"]["for"] == [spec.sha256]
    for place in spec.machine.places:
        if place.kind == "file":
            assert files[f"new{place.path}"] == place.content
    assert b"enable|corefab-bundle.timer||||\n" in files["acts"]
    settings = json.loads(files["new/etc/corefab/pull/node/settings.json"])
    assert settings["reference"] == f"{registry.address}/{REPO}:now"


def test_serials_grow_and_what_an_earlier_spec_had_is_removed(
    tmp_path: Path, project: Project, registry: FakeRegistry
) -> None:
    overlay = tmp_path / "butane/overlays/motd.bu"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(
        "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n"
        "    - path: /etc/motd\n      contents:\n        inline: hello\n"
    )
    prepare(project)
    before = spec_from_settings(project).sha256
    overlay.unlink()
    publish_node(project)
    first, files = published(registry)

    publish_node(project)

    second, _ = published(registry)
    assert b"remove|/etc/motd||||\n" in files["acts"]
    assert set(first["files"]["for"]) == {before, first["files"]["spec"]}
    assert second["serial"] > first["serial"]
    assert second["files"]["serial"] > first["files"]["serial"]


def test_no_other_command_of_this_workstation_publishes_meanwhile(
    project: Project, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def look(publisher: Publisher) -> Contents:
        with (project.folder / "state/bundle.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                taken.append(True)
        return present(publisher)

    monkeypatch.setattr(send, "present", look)

    publish_node(project)

    assert taken == [True]
    assert published(registry)[0]["files"]


def test_specs_of_other_nodes_do_not_count(
    tmp_path: Path, project: Project, registry: FakeRegistry
) -> None:
    prepare(project_of(tmp_path, registry, node="shop2"))
    prepare(project_of(tmp_path, registry, node=""))

    publish_node(project)

    head, _ = published(registry)
    assert head["files"]["for"] == [head["files"]["spec"]]


def test_a_node_that_takes_no_bundles_is_named(tmp_path: Path, registry: FakeRegistry) -> None:
    project = project_of(tmp_path, registry, node="")

    with pytest.raises(DeployError, match="PULL_NODE is not set"):
        publish_node(project)

    assert registry.written == []
