"""The apps that a machine is born with."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from butane.files import carried_files
from certs.detached import public_key, public_pem
from certs.keyfile import new_key
from deploy.app.proxy import proxy_of
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import read_settings
from deploy.spec.beside import apps_beside
from deploy.spec.check import check
from deploy.spec.render import app_files, render
from deploy.spec.spec import spec_from_settings
from tests.unit.deploy.settings.test_closed import CLOSED, TAG

STAGING = {
    "NAME": "staging",
    "CERT_NAMES": "staging.example.org",
    "PULL": TAG.replace("live", "staging"),
}
ONE = {"PROJECT": "shop", "IMAGE": "localhost/shop:1", "CERT_NAMES": "example.org"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/publish.pub").write_bytes(public_pem(public_key(new_key())))
    write(tmp_path / ".env", ONE | CLOSED)
    write(tmp_path / ".env.staging", STAGING)
    return tmp_path


def write(path: Path, values: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    path.chmod(0o600)


def project(folder: Path, name: str | None = None) -> Project:
    return Project(folder, read_settings(folder, name))


def beside(folder: Path, name: str | None = None) -> list[str]:
    return [one.settings.app for one in apps_beside(project(folder, name))]


def test_a_machine_has_the_other_instances_of_its_node_and_their_proxy(folder: Path) -> None:
    assert beside(folder) == ["shop-staging", "corefab-proxy"]
    assert beside(folder, "staging") == ["shop-www", "corefab-proxy"]


@pytest.mark.parametrize(
    "values", [{"PULL_MODE": "off", "SSH": "on"}, {"SSH": "on", "SECRET_TOKEN": "x"}]
)
def test_an_app_that_has_to_be_deployed_is_born_with_nothing_beside_it(
    folder: Path, values: dict[str, str]
) -> None:
    write(folder / ".env", ONE | CLOSED | values)

    assert beside(folder) == []


def test_an_instance_for_another_node_or_one_to_be_deployed_is_left_out(folder: Path) -> None:
    write(folder / ".env", ONE | CLOSED | {"SSH": "on"})
    write(folder / ".env.staging", STAGING | {"NODE_ADDRESS": "192.0.2.2"})
    write(folder / ".env.third", {"NAME": "third", "PULL_MODE": "off"})

    assert beside(folder) == ["corefab-proxy"]


def test_two_apps_with_one_name_are_refused(folder: Path) -> None:
    write(folder / ".env.staging", STAGING | {"CERT_NAMES": "example.org"})

    with pytest.raises(DeployError, match=r"the name example\.org is claimed by shop-www and by"):
        beside(folder)
    assert check(folder, None, as_json=False) == 1


def test_two_apps_with_one_port_are_refused(folder: Path) -> None:
    write(folder / ".env", ONE | CLOSED | {"TLS": "none", "HTTP_PORT": "80"})

    with pytest.raises(DeployError, match=r"port 80 is claimed by shop-www and by shop-staging"):
        beside(folder)


def test_a_machine_carries_the_files_that_each_app_would_be_deployed_with(folder: Path) -> None:
    one = project(folder)
    carried = {
        file.path: (file.content, file.mode)
        for file in carried_files(spec_from_settings(one).ignition)
    }
    proxy = proxy_of(Project(folder, one.settings.model_copy(update={"ssh": "on"})))

    for app in (one, project(folder, "staging"), proxy):
        for file in app_files(render(app)):
            assert carried[file.path] == (file.content, file.mode), file.path
    pulled = json.loads(carried["/etc/corefab/pull/corefab-proxy/settings.json"][0])
    assert pulled["reference"] == one.settings.proxy_image
    assert pulled["born"] is True


def test_the_users_of_all_apps_are_made(folder: Path) -> None:
    people = {one.name for one in spec_from_settings(project(folder)).machine.people}

    assert people == {"core", "shop-www", "shop-staging", "corefab-proxy"}


def test_a_node_without_ssh_has_no_key_no_port_and_no_way_in_but_its_console(folder: Path) -> None:
    spec = spec_from_settings(project(folder))
    core = json.loads(spec.ignition)["passwd"]["users"][0]
    places = {place.path: place for place in spec.machine.places}

    assert core["passwordHash"] == CLOSED["CONSOLE_PASSWORD_HASH"]
    assert not core.get("sshAuthorizedKeys")
    assert "tcp_ports { 22 }" not in places["/etc/corefab/firewall.nft"].text
    for unit in ("sshd.service", "sshd.socket", "sshd-vsock.socket", "sshd-unix-local.socket"):
        assert places[f"/etc/systemd/system/{unit}"].target == "/dev/null"


def test_with_ssh_nothing_is_masked(folder: Path) -> None:
    (folder / "me.pub").write_text(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me\n"
    )
    given = {"SSH": "on", "SSH_KEYS": "me.pub", "CONSOLE_PASSWORD_HASH": ""}
    write(folder / ".env", ONE | CLOSED | given)

    spec = spec_from_settings(project(folder))

    places = {place.path: place for place in spec.machine.places}
    assert "tcp_ports { 22 }" in places["/etc/corefab/firewall.nft"].text
    assert not [path for path in places if "/sshd" in path and path.startswith("/etc/systemd")]
    assert "passwordHash" not in json.loads(spec.ignition)["passwd"]["users"][0]
