"""What is published to Debian's docker-registry, a node's skopeo takes under its policy."""

import base64
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal import stock
from tests.system import registry
from tests.system.project import Project, make_project
from tests.system.registry import Registry
from tests.system.rehearsal.nodes import require_nodes
from tests.unit.deploy.image.make import Made, image, layer, noise, write_layout

pytestmark = pytest.mark.node
REPO = "shop/www"
# With the folder at /mnt of the node's tree, in this process's mount namespace only.
IN_TREE = 'mount --bind "$1" "$2/mnt"; tree=$2; shift 2; exec chroot "$tree" "$@"'


@dataclass(frozen=True, slots=True)
class Shop:
    """A project that publishes, its registry, and a node's skopeo that trusts its key."""

    project: Project
    registry: Registry
    folder: Path

    def skopeo(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the skopeo of a node's tree."""
        tree = str(stock.tree(lambda _: None))
        alone = ("unshare", "--mount", "sh", "-euc", IN_TREE, "sh", str(self.folder), tree)
        program = ("env", "HOME=/mnt", "skopeo", "--tmpdir=/mnt", "--policy=/mnt/policy.json")
        return subprocess.run(
            [*alone, *program, "--registries.d=/mnt/registries.d", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def pull(self, tag: str) -> subprocess.CompletedProcess[str]:
        """Copy an image as a node would, under its policy."""
        where = f"docker://{self.registry.address}/{REPO}:{tag}"
        login = ("--src-cert-dir=/mnt/trusted", "--src-authfile=/mnt/auth.json")
        return self.skopeo("copy", *login, "--remove-signatures", where, "dir:/mnt/pulled")

    def pulled(self, tag: str) -> str:
        """Copy an image; return its id."""
        done = self.pull(tag)
        assert done.returncode == 0, done.stderr
        manifest = json.loads((self.folder / "pulled/manifest.json").read_bytes())
        return str(manifest["config"]["digest"])

    @property
    def tags(self) -> Path:
        """Where the registry keeps what its tags name."""
        return self.registry.store / "docker/registry/v2/repositories" / REPO / "_manifests/tags"

    def digest(self, tag: str) -> str:
        return (self.tags / tag / "current/link").read_text()

    def write(self, made: Made) -> None:
        (self.project.folder / "layout").mkdir(exist_ok=True)
        (self.project.folder / "layout/index.json").unlink(missing_ok=True)
        write_layout(made, self.project.folder / "layout")


PULL = """
trap 'rm -rf /etc/containers/registries.d/test.yaml /etc/containers/certs.d/ADDRESS' EXIT
mkdir -p /etc/containers/registries.d /etc/containers/certs.d/ADDRESS
cp /root/published/registries.d/here.yaml /etc/containers/registries.d/test.yaml
cp /root/published/trusted/ca.crt /etc/containers/certs.d/ADDRESS/
podman pull --quiet --signature-policy /root/published/policy.json \
  --authfile /root/published/auth.json IMAGE 2>&1
"""


@contextmanager
def publishing(folder: Path, *, at: str = "127.0.0.1") -> Iterator[Shop]:
    """Run a registry, and make a project that publishes to it."""
    password = secrets.token_urlsafe(24)
    for name in ("registry", "node/trusted", "node/registries.d"):
        (folder / name).mkdir(parents=True)
    with registry.running(folder / "registry", password, at=at) as found:
        project = make_project(
            folder / "project",
            "published",
            IMAGE="oci:layout",
            PULL=f"{found.address}/{REPO}:live",
            PULL_ROOT=str(found.root),
            PUBLISH_LOGIN=found.login,
            IMAGE_CACHE=str(folder / "cache"),
        )
        made = Shop(project, found, folder / "node")
        project.must("publish-key")
        configure_node(made, project.folder / "certs/publish.pub")
        yield made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    require_nodes()
    with publishing(tmp_path) as made:
        yield made


def configure_node(shop: Shop, *keys: Path) -> None:
    """Write what a node gets: who must have signed, where signatures are, and a login."""
    node, address = shop.folder, shop.registry.address
    for number, key in enumerate(keys):
        (node / f"{number}.pub").write_bytes(key.read_bytes())
    signed = {
        "type": "sigstoreSigned",
        "keyPaths": [f"/mnt/{number}.pub" for number in range(len(keys))],
        "signedIdentity": {"type": "matchRepository"},
    }
    policy = {"default": [{"type": "reject"}], "transports": {"docker": {address: [signed]}}}
    (node / "policy.json").write_text(json.dumps(policy))
    attached = {"docker": {address: {"use-sigstore-attachments": True}}}
    (node / "registries.d/here.yaml").write_text(json.dumps(attached))
    (node / "trusted/ca.crt").write_bytes(shop.registry.root.read_bytes())
    user, _, password = shop.registry.login.partition(":")
    login = ("--cert-dir=/mnt/trusted", "--authfile=/mnt/auth.json", "--password-stdin")
    done = shop.skopeo("login", *login, f"--username={user}", address, stdin=password)
    assert done.returncode == 0, done.stderr


def made(content: bytes) -> Made:
    return image([layer({"base": noise(300_000)}), layer({"app": content})])


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_node_takes_what_is_published_promoted_and_withdrawn(shop: Shop, form: str) -> None:
    one, two = made(b"one"), made(b"two")
    shop.write(one)
    shop.project.must("publish", PUBLISH_FORMAT=form)
    assert shop.pulled("live") == one.id

    shop.write(two)
    shop.project.must("publish", "--tag", "staging", PUBLISH_FORMAT=form)
    assert (shop.pulled("live"), shop.pulled("staging")) == (one.id, two.id)
    shop.project.must("promote", "staging", "live")
    assert shop.pulled("live") == two.id
    shop.project.must("withdraw")
    assert shop.pulled("live") == one.id


def test_a_node_refuses_what_is_not_signed_and_what_a_stranger_signed(
    shop: Shop, tmp_path: Path
) -> None:
    shop.write(made(b"one"))
    stranger = make_project(tmp_path / "stranger", "stranger", **shop.project.settings)
    (stranger.folder / "layout").symlink_to(shop.project.folder / "layout")
    stranger.must("publish", "--tag", "strange")
    refused = shop.pull("strange")
    assert refused.returncode != 0
    assert "invalid signature" in refused.stderr

    shop.project.must("publish")
    shop.pulled("live")
    remove_signatures(shop, "live")
    refused = shop.pull("live")

    assert refused.returncode != 0
    assert "A signature was required, but no signature exists" in refused.stderr


def remove_signatures(shop: Shop, tag: str) -> None:
    name = f"{shop.digest(tag).replace(':', '-')}.sig"
    (shop.tags / name / "current/link").unlink()


def test_the_login_and_the_key_are_nowhere_to_be_seen(shop: Shop) -> None:
    shop.write(made(b"one"))

    said = shop.project.must("--debug", "publish")

    secret = shop.registry.password
    encoded = base64.b64encode(shop.registry.login.encode()).decode()
    assert secret not in said
    assert encoded not in said
    files = [path for path in shop.project.folder.rglob("*") if path.is_file()]
    holders = [path.name for path in files if secret.encode() in path.read_bytes()]
    assert holders == [".env"]
    private = [path for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert shop.project.folder / "certs/material/authority/publish.key.enc" in private
    assert [path for path in private if b"BEGIN PRIVATE KEY" in path.read_bytes()] == []


def test_each_of_two_keys_alone_is_enough_while_the_key_changes(shop: Shop) -> None:
    one = made(b"one")
    shop.write(one)
    shop.project.must("publish")
    shop.project.must("publish-key", "--following")
    shop.project.must("promote", "live", "live")
    certs = shop.project.folder / "certs"

    for keys in (["publish"], ["publish-next"], ["publish", "publish-next"]):
        configure_node(shop, *(certs / f"{key}.pub" for key in keys))
        assert shop.pulled("live") == one.id

    shop.project.must("publish-key", "--finish")
    configure_node(shop, certs / "publish.pub")
    assert shop.pulled("live") == one.id


@pytest.mark.core
def test_a_nodes_podman_pulls_by_digest_what_is_signed_and_nothing_else(
    project: Project, tmp_path: Path
) -> None:
    with publishing(tmp_path, at=project.gateway) as shop:
        signed, strange = made(b"one"), made(b"two")
        shop.write(signed)
        shop.project.must("publish")
        shop.write(strange)
        shop.project.must("publish", "--tag", "strange")
        remove_signatures(shop, "strange")
        send_folder(project, shop.folder)

        pulled = project.ssh(pull(shop, "live")).split()[-1]
        project.ssh(f"podman rmi {pulled}")
        refused = project.ssh(f"! ({pull(shop, 'strange')})")

    assert f"sha256:{pulled}" == signed.id
    assert "A signature was required" in refused


def pull(shop: Shop, tag: str) -> str:
    """Write the script that pulls an image on a node, under the policy that was sent there."""
    image = f"{shop.registry.address}/{REPO}@{shop.digest(tag)}"
    return PULL.replace("ADDRESS", shop.registry.address).replace("IMAGE", image)


def send_folder(project: Project, folder: Path) -> None:
    """Copy the files for a node to /root/published there."""
    for file in (path for path in folder.rglob("*") if path.is_file()):
        target = f"/root/published/{file.relative_to(folder)}"
        content = base64.b64encode(file.read_bytes()).decode()
        project.ssh(f"mkdir -p {Path(target).parent}\nbase64 -d >{target} <<<{content}\n")
    project.ssh("sed -i s#/mnt/#/root/published/#g /root/published/policy.json")
