"""What operators deploy is signed; what is missing, changed or swapped on the node is named."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.system.project import Project
from tests.unit.deploy.ssh_server import new_identity

pytestmark = pytest.mark.node
OPERATORS = ("ann", "ben")


def home(project: Project) -> str:
    return f"/var/lib/{project.settings['PROJECT']}-www"


@pytest.fixture
def signing(serving: Project) -> Iterator[Project]:
    """Give two operators keys of their own; afterwards there are no receipts."""
    signers = serving.folder / "certs/allowed_signers"
    for name in OPERATORS:
        new_identity(serving.folder / name)
        with signers.open("a") as file:
            file.write(f"{name} {(serving.folder / name).with_suffix('.pub').read_text()}\n")
    yield serving
    signers.unlink()
    shutil.rmtree(serving.folder / "receipts", ignore_errors=True)
    for name in OPERATORS:
        (serving.folder / name).unlink()
        (serving.folder / name).with_suffix(".pub").unlink()
    serving.ssh(f"rm -rf {home(serving)}/receipts")


def kept(project: Project) -> list[str]:
    """List the releases that have a receipt on the node, the oldest first."""
    names = project.ssh(f"ls {home(project)}/receipts").split()
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def broken(project: Project, script: str) -> list[str]:
    """Break receipts on the node, verify, and copy the right ones there again."""
    project.ssh(f"cd {home(project)}/receipts; {script}")
    said = project.fab("receipts-verify")
    assert said.code == 1, said.out
    project.must("receipts-verify", "--copy")
    return [line.removeprefix("✗ ") for line in said.out.splitlines() if line.startswith("✗")]


@pytest.mark.slow
def test_deploys_and_rollbacks_are_signed_and_each_way_to_break_that_is_named(
    signing: Project,
) -> None:
    signing.must("deploy", "--force", RECEIPT_KEY="ann")
    signing.must("deploy", "--force", RECEIPT_KEY="ben")
    signing.must("rollback", RECEIPT_KEY="ann")
    first, second, third = kept(signing)

    said = signing.must("receipts-verify")
    assert "3 receipts of" in said
    assert "verified: 2 by ann, 1 by ben" in said
    assert "it is from before the first one" in said
    listed = json.loads(signing.must("receipts", "--json"))["receipts"]
    assert [one["receipt"]["what"] for one in listed] == ["rollback", "deploy", "deploy"]
    assert listed[0]["receipt"]["copies"] == first
    releases = json.loads(signing.must("releases", "--json"))["releases"]
    assert releases[0]["release"] == third
    assert releases[0]["result"] == "serves"

    assert broken(signing, f"sed -i s/deploy/deplox/ {second}.json") == [
        f"the receipt of release {second} on the node: its signature does not fit: it was changed"
    ]
    assert broken(signing, f"rm {second}.json") == [
        f"receipt 2 (release {second}) is missing on the node"
    ]
    swap = "; ".join(f"mv {first}{end} x; mv {second}{end} {first}{end}; mv x {second}{end}"
                     for end in (".json", ".json.sig"))  # fmt: skip
    assert [line.partition(", signed")[0] for line in broken(signing, swap)] == [
        f"the receipt of release {first} on the node: it is the one of release {second}",
        f"the receipt of release {second} on the node: it is the one of release {first}",
    ]
    evil = "sha256:" + "e" * 64
    manifest = f"../releases/{second}/manifest.json"
    change = f"""cp -p {manifest} kept; jq '.image_id = "{evil}"' kept >{manifest}"""
    signing.ssh(f"cd {home(signing)}/receipts; {change}")
    said_now = signing.fab("receipts-verify")
    signing.ssh(f"cd {home(signing)}/receipts; mv kept {manifest}")
    assert said_now.code == 1
    assert f"release {second} of the node is not what its receipt states: image_id" in said_now.out
    assert signing.fab("receipts-verify").code == 0


def test_a_deploy_that_cannot_be_signed_changes_nothing_on_the_node(signing: Project) -> None:
    place = home(signing)
    look = f"cat /var/lib/corefab/audit.log; readlink {place}/current; ls -lR {place}/releases"
    before = signing.ssh(look)

    said = signing.fab("deploy", "--force", RECEIPT_KEY="certs/known_hosts")

    assert said.code == 1
    assert "signing the receipt with" in said.out
    assert "Nothing was changed on the node" in said.out
    assert signing.ssh(look) == before
    assert not (signing.folder / "receipts").exists()


def test_what_was_deployed_without_a_key_has_no_receipt_and_is_named(signing: Project) -> None:
    signing.must("deploy", "--force", RECEIPT_KEY="ann")

    said = signing.must("deploy", "--force")
    found = signing.fab("receipts-verify")

    assert "this release gets none: RECEIPT_KEY is not set" in said
    assert found.code == 1
    assert "has no receipt" in found.out
