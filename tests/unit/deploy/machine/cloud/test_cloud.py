"""`fab cloud` writes what a provider needs, or says why it would not work."""

import base64
import gzip
import json
import os
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.machine.cloud.cloud import cloud
from deploy.machine.cloud.plan.cloud_values import VOLUME
from deploy.project import Project
from deploy.settings.load import read_settings
from deploy.settings.model import Settings
from tests.unit.deploy.examples import settings
from tests.unit.deploy.machine.cloud.hcl import read
from tests.unit.deploy.settings.test_closed import CLOSED

SPEC = {"ignition": {"version": "3.3.0"}, "storage": {"files": []}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    spec(tmp_path, SPEC)
    return tmp_path


def spec(folder: Path, content: object) -> bytes:
    (folder / "build").mkdir(exist_ok=True)
    text = json.dumps(content)
    (folder / "build/shop-www.ign").write_text(text)
    return text.encode()


def made(project: Path, provider: str = "vultr", *, domain: str = "", url: str = "") -> Path:
    return cloud(Project(project, shop()), provider, domain=domain, url=url)


def shop() -> Settings:
    return settings(SMTP_HOST="smtp.example.org", SMTP_PASSWORD="hunter2", NODE_HOSTNAME="shop1")


@pytest.mark.parametrize("provider", ["vultr", "hetzner", "digitalocean"])
def test_user_data_is_the_spec_itself(project: Path, provider: str) -> None:
    folder = made(project, provider, domain="example.org")

    assert json.loads((folder / "user-data.ign").read_bytes()) == SPEC
    whole = read((folder / "main.tf").read_text())
    assert whole["variable"]["domain"]["default"] == "example.org"


def test_a_spec_that_is_too_large_needs_a_url(project: Path) -> None:
    large = spec(project, SPEC | {"padding": os.urandom(30_000).hex()})

    with pytest.raises(
        DeployError, match=rf"has {len(large)} bytes, \d+ compressed; hetzner takes 32768"
    ) as found:
        made(project, "hetzner")
    assert "--url" in found.value.hint
    assert not (project / "build/cloud/hetzner/user-data.ign").exists()

    folder = made(project, "hetzner", url="https://example.org/shop.ign")
    assert (folder / "user-data.ign").stat().st_size < 400
    assert (folder / "machine.ign").read_bytes() == large


def test_a_node_with_bundles_takes_its_apps_from_these_where_there_is_no_room(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {"source": f"data:,{os.urandom(30_000).hex()}"}
    kept = ["/etc/hostname", "/etc/corefab/pull/node/bundle.sh", "/etc/sysusers.d/shop-www2.conf"]
    apps = ["/etc/corefab/pull/shop-www/pull.sh", "/etc/containers/systemd/shop-www-blue.container"]
    files = [
        *({"path": path, "contents": {"source": f"data:,{path}"}} for path in kept),
        *({"path": path} | {"contents": large} for path in apps),
    ]
    spec(project, SPEC | {"storage": {"files": files}})
    follows = {"PULL": "registry.example.org/shop/www:live", "PULL_NODE": "shop1"}

    folder = cloud(Project(project, settings(**follows)), "hetzner", domain="", url="")

    assert "publish that before: `fab publish --node`" in capsys.readouterr().out
    user_data = json.loads((folder / "user-data.ign").read_bytes())
    (inner,) = user_data["ignition"]["config"]["merge"]
    content = json.loads(gzip.decompress(base64.b64decode(inner["source"].partition(",")[2])))
    assert {one["path"] for one in content["storage"]["files"]} == set(kept)


def test_a_spec_that_fits_when_it_is_compressed_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = spec(project, SPEC | {"padding": "x" * 40_000})

    folder = made(project, "hetzner")

    size = (folder / "user-data.ign").stat().st_size
    assert size < 400
    said = capsys.readouterr().out
    assert f"{size} bytes, compressed from {len(large)} (hetzner takes 32768)" in said
    assert not (folder / "machine.ign").exists()


def test_data_on_the_providers_volume_outlives_the_machine(project: Path) -> None:
    disks = [{"device": VOLUME}]
    spec(project, SPEC | {"storage": {"disks": disks}})
    given = settings(DATA_PARTITION="kept", DATA_DISK=VOLUME)

    folder = cloud(Project(project, given), "hetzner", domain="", url="https://example.org/x.ign")

    assert "hcloud_volume_attachment" in (folder / "volume.tf").read_text()
    assert "hcloud_volume.corefab.linux_device" in (folder / "main.tf").read_text()
    assert json.loads((folder / "user-data.ign").read_bytes())["storage"] == {"disks": disks}
    assert "disks" not in (folder / "machine.ign").read_text()


def test_data_on_the_machines_own_disk_is_warned_about(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud(Project(project, settings(DATA_PARTITION="kept")), "vultr", domain="", url="")

    assert f"set DATA_DISK={VOLUME}" in capsys.readouterr().err
    assert not (project / "build/cloud/vultr/volume.tf").exists()


def test_the_names_of_every_app_that_the_machine_is_born_with_are_records(project: Path) -> None:
    one = {"PROJECT": "shop", "IMAGE": "localhost/shop:1", "CERT_NAMES": "example.org"} | CLOSED
    other = {"NAME": "staging", "CERT_NAMES": "staging.example.org"}
    for name, values in ((".env", one), (".env.staging", other)):
        (project / name).write_text("".join(f"{key}={text}\n" for key, text in values.items()))
        (project / name).chmod(0o600)

    folder = cloud(Project(project, read_settings(project)), "vultr", domain="example.org", url="")

    records = read((folder / "main.tf").read_text())["resource"]["vultr_dns_record"]["name"]
    assert records["for_each"] == ["@", "staging"]


def test_a_file_of_an_older_version_is_refused_before_anything_is_written(project: Path) -> None:
    older = project / "build/cloud/vultr/main.tf.json"
    older.parent.mkdir(parents=True)
    older.write_text("{}")

    with pytest.raises(DeployError, match="find every resource twice") as found:
        made(project)
    assert f"rm {older}" in found.value.hint
    assert [path.name for path in older.parent.iterdir()] == ["main.tf.json"]


def test_a_secret_is_refused_with_the_reason(project: Path) -> None:
    file = {"path": "/etc/mail", "contents": {"source": "data:,hunter2"}}
    spec(project, SPEC | {"storage": {"files": [file]}})

    with pytest.raises(DeployError, match="SMTP_PASSWORD in /etc/mail") as found:
        made(project)
    assert "can read its user data" in found.value.hint
    assert not (project / "build/cloud").exists()


@pytest.mark.parametrize(
    ("provider", "domain", "url", "message"),
    [
        ("acme", "", "", "unknown provider 'acme'"),
        ("vultr", "example.com", "", "is in the zone example.com"),
        ("vultr", "", "http://example.org/x", "--url is 'http://example.org/x'"),
        ("vultr", "", "https://me:secret@example.org/x", "--url holds a user or password"),
    ],
)
def test_options_that_cannot_work_are_refused(
    project: Path, provider: str, domain: str, url: str, message: str
) -> None:
    with pytest.raises(DeployError, match=message):
        made(project, provider, domain=domain, url=url)


def test_without_a_spec_fab_prepare_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"shop-www\.ign does not exist"):
        made(tmp_path)
