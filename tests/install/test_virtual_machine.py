"""A virtual machine, from the Ignition file that the firmware hands over to a served page.

It is as small as a server for five dollars a month: one processor, 1 GB of memory, a disk of 10 GB.
"""

from collections.abc import Iterator

import pytest

from rehearsal import stock
from tests.install.virtual import console, on, seals, start, virtual_project
from tests.system.page import get
from tests.system.project import Project

pytestmark = pytest.mark.vm
SMALL = ("--cpus", "1", "--memory", "1024", "--disk", "10G")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with virtual_project(tmp_path_factory.mktemp("vm"), "vm", 2229) as made:
        yield made


def test_a_virtual_machine_takes_its_ignition_file_and_serves(project: Project) -> None:
    said = start(project, stock.tree(lambda _: None), options=SMALL)

    assert said.code == 0, said.out + console(project)[-3000:]
    assert "no KVM" in said.out
    assert f"next: fab -H {project.login} deploy --first" in said.out
    assert "initramfs: first boot" in console(project)

    on(project, "deploy", "--first")
    authority = project.folder / "certs/material/authority/ca.crt"
    port = int(project.settings["HTTPS_PORT"])
    status, page = get("127.0.0.1", port, "shop.example.org", authority)
    assert (status, "<h2>" in page) == (200, True)

    # With this firmware there is no TPM for systemd.
    assert seals(project) == {("host", 1, True)}

    on(project, "cert-rotate-https")
    on(project, "deploy", ENV_GREETING="again")
    on(project, "prune")
    assert "ut of memory" not in project.ssh("journalctl -k -o cat")


def test_what_is_missing_is_told_before_anything_starts(project: Project) -> None:
    said = project.fab("vm", "--image", "nothing.qcow2")

    assert said.code == 1
    assert "nothing.qcow2 does not exist" in said.out
