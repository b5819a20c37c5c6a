"""What the container is given and how it is asked, with images of every kind."""

import json
import os
import shlex
from collections.abc import Iterator

import pytest

from tests.images import build_image, remove_images
from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project

pytestmark = pytest.mark.node
APP = """
import http.server, os, signal, socket, ssl

def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    password = open("/run/secrets/cert_pass").read()
    made.load_cert_chain("/etc/tls/server.crt", "/etc/tls/server.key.enc", password)
    return made

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.headers["Host"]
        self.send_response(200 if os.environ.get("WANTED", host) == host else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in os.environ["BIND"] else socket.AF_INET
    tls = context()

    def get_request(self):
        plain, address = super().get_request()
        return self.tls.wrap_socket(plain, True, do_handshake_on_connect=False), address

def reload(*_):
    Server.tls = context()

signal.signal(signal.SIGHUP, reload)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
if "WRITES" in os.environ:
    open("/data/started", "w").close()
Server((os.environ["BIND"], int(os.environ["HTTPS_PORT"])), Page).serve_forever()
"""
PASSWD = "root:x:0:0::/:/x\nshopkeeper:x:1234:1235::/:/x\n"


class Toy:
    """An app of a few lines, which a test deploys in the place of the sample."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.images: list[str] = []

    def image(self, kind: str, *lines: str) -> str:
        """Build it with more lines in its Containerfile."""
        (self.project.folder / "toy.py").write_text(APP)
        (self.project.folder / "passwd").write_text(PASSWD)
        text = "\n".join([
            f"FROM {self.project.settings['IMAGE']}",
            "LABEL io.corefab.status=''",
            "COPY toy.py /toy.py",
            "ENV BIND=0.0.0.0",
            "ENTRYPOINT []",
            'CMD ["/usr/bin/python3", "/toy.py"]',
            *lines,
        ])  # fmt: skip
        name = f"localhost/corefab-toy-{kind}{os.getpid()}:latest"
        build_image(name, text, self.project.folder, form="docker")
        self.images.append(name)
        return name

    def settings(self, kind: str, *lines: str, **settings: str) -> dict[str, str]:
        """Make the settings of a deploy of it."""
        own = {"IMAGE": self.image(kind, *lines), "NOTIFY": "false", "WATCHDOG_SECONDS": "0"}
        return own | {"HEALTH_TIMEOUT_SECONDS": "10"} | settings


@pytest.fixture
def toy(serving: Project) -> Iterator[Toy]:
    made = Toy(serving)
    yield made
    serving.must("deploy")
    for image in made.images:
        remove_images(image)


@pytest.mark.slow
def test_an_app_on_ipv4_only_is_deployed_rotated_and_looked_at_with_a_warning(toy: Toy) -> None:
    given = toy.settings("four")

    for words in (["deploy"], ["cert-rotate-https"], ["cert-status"], ["status"]):
        assert "takes no connections" in toy.project.must(*words, **given), words


@pytest.mark.slow
def test_an_app_on_all_addresses_is_asked_with_a_browsers_host_header(toy: Toy) -> None:
    lines = ("ENV BIND=::", f"ENV WANTED={NAME}:8443")

    said = toy.project.must("deploy", **toy.settings("port", *lines, HTTPS_PORT="8443"))

    assert "takes no connections" not in said


@pytest.mark.slow
def test_what_a_failed_deploy_restores_is_checked_as_it_was_deployed(toy: Toy) -> None:
    said = toy.project.fab("deploy", **toy.settings("host", "ENV WANTED=x", HEALTH_PATH="/new"))

    assert said.code == 1
    assert "the health path answers 404" in said.out
    assert "serves again, proven over HTTPS" in said.out
    status = json.loads(toy.project.fab("status", "--json", HEALTH_PATH="/new").out)
    assert status["health"] == "healthy"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "owner"),
    [("1000", "1000:0"), ("1000:2000", "1000:2000"), ("shopkeeper", "1234:1235")],
)
def test_key_secrets_and_data_belong_to_the_user_that_the_image_names(
    toy: Toy, user: str, owner: str
) -> None:
    project = toy.project
    app = f"{project.settings['PROJECT']}-www"
    data = f"/var/lib/{app}/data"
    project.ssh(f"mv {data} {data}.kept; install -d -m 0750 {data}")
    lines = ("COPY passwd /etc/passwd", "ENV WRITES=1", f"USER {user}")
    given = toy.settings("user", *lines, CONTAINER_USER="image")
    try:
        project.must("deploy", **given)
        project.must("cert-rotate-https", **given)

        secrets = f"/run/{project.container()}/secrets/cert_pass"
        key = f"/var/lib/{app}/current/tls/server.key.enc"
        looked = f"stat -c '%u:%g %a' {secrets} {key}; stat -c %u:%g {data} {data}/started"
        found = project.ssh(looked)
    finally:
        project.ssh(f"rm -rf {data}; mv {data}.kept {data}")
    assert found.splitlines() == [f"{owner} 400", f"{owner} 400", owner, owner]


def test_a_user_that_the_image_lacks_is_named_before_anything_starts(toy: Toy) -> None:
    given = toy.settings("nobody", "USER nosuch", CONTAINER_USER="image", SWITCH="restart")

    said = toy.project.fab("deploy", **given)

    assert said.code == 1
    assert "nosuch, which its /etc/passwd does not have" in said.out
    assert "stopped" not in said.out


@pytest.mark.slow
def test_data_of_another_user_is_left_alone_with_a_warning(toy: Toy) -> None:
    app = f"{toy.project.settings['PROJECT']}-www"
    toy.project.ssh(f"touch /var/lib/{app}/data/kept")
    before = toy.project.ssh(f"stat -c %u /var/lib/{app}/data")

    said = toy.project.must("deploy", **toy.settings("root", CONTAINER_USER="image"))

    assert f"/data belongs to user {before.strip()}, and the image runs as 0" in said
    assert toy.project.ssh(f"stat -c %u /var/lib/{app}/data") == before


@pytest.mark.slow
def test_an_app_that_ends_with_0_is_started_again(toy: Toy) -> None:
    project, given = toy.project, toy.settings("ends")
    project.must("deploy", **given)
    unit = f"{project.container()}.service"
    before = project.ssh(f"systemctl show -P InvocationID {unit}")

    project.ssh(f"podman kill --signal USR1 {project.container()}")
    project.ssh(
        f"until [ $(systemctl show -P InvocationID {unit}) != {before.strip()} ] "
        f"&& curl -sko /dev/null https://{project.node.address}/; do sleep 0.1; done"
    )

    assert get(project.node.address, 443, NAME, authority(project))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('CMD ["/usr/bin/nosuch", "x"]', "its health check is: /usr/bin/nosuch x"),
        ("CMD exit 3", "its health check is: /bin/sh -c exit 3"),
        (
            'CMD ["/usr/bin/python3", "-c", "import sys; sys.exit(\'no database\')"]',
            "it ends with exit code 1: no database",
        ),
    ],
)
def test_a_health_check_that_fails_is_shown_with_its_output(
    toy: Toy, line: str, shown: str
) -> None:
    check = f"HEALTHCHECK --interval=1s --retries=2 {line}"

    said = toy.project.fab("deploy", **toy.settings("check", check, HEALTH_TIMEOUT_SECONDS="4"))

    assert said.code == 1
    assert shown in said.out


@pytest.mark.slow
def test_an_app_that_never_says_ready_is_named(toy: Toy) -> None:
    given = toy.settings("silent", NOTIFY="true", HEALTH_TIMEOUT_SECONDS="1")

    said = toy.project.fab("deploy", **given)

    assert "the app never said READY=1 (sd_notify); set NOTIFY=false if it cannot" in said.out


@pytest.mark.slow
def test_a_node_without_ipv6_gets_a_network_without(toy: Toy) -> None:
    project, given = toy.project, toy.settings("plain")
    app = f"{project.settings['PROJECT']}-www"
    remove = f"systemctl stop {app}-blue {app}-green {app}-network; podman network rm -f {app}"
    # That of new interfaces: the node keeps its own address.
    project.ssh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")

    refused = project.fab("deploy", **given)
    project.ssh(remove)
    project.must("deploy", **given)

    network = project.ssh(f"podman network inspect {app}")
    project.ssh(f"sysctl -qw net.ipv6.conf.default.disable_ipv6=0; {remove}")
    assert "is wanted on a node without IPv6" in refused.out
    assert json.loads(network)[0]["ipv6_enabled"] is False


WORDS = ["/usr/bin/python3", "/toy.py", "a  b", '100% $HOME "x" \\']
WRITABLE = {
    "VOLUMES": "uploads:/app/uploads, cache:/var/cache/app",
    "CONTAINER_TMPFS": "/memory:8m, /run",
    "CONTAINER_CAPABILITIES": "NET_BIND_SERVICE",
    "CONTAINER_COMMAND": shlex.join(WORDS),
    "READ_ONLY": "false",
    "HEALTH_TIMEOUT_SECONDS": "60",
}
# Writes into each folder; prints the command, the capabilities, whether / is read-only, a size.
LOOK = """
import os, pathlib
for folder in ("/app/uploads", "/var/cache/app", "/memory", "/run", "/data"):
    pathlib.Path(folder, "written").write_text(folder)
print(pathlib.Path("/proc/1/cmdline").read_text().split("\\0")[:-1])
print(next(x for x in open("/proc/1/status") if x.startswith("CapEff")).split()[1])
print(bool(os.statvfs("/").f_flag & os.ST_RDONLY))
memory = os.statvfs("/memory")
print(memory.f_blocks * memory.f_bsize)
"""


def test_volumes_memory_command_and_capabilities_work_in_the_container(toy: Toy) -> None:
    project, given = toy.project, toy.settings("writable", **WRITABLE)
    data = f"/var/lib/{project.settings['PROJECT']}-www/data"

    said = project.must("deploy", **given)
    look = f"podman exec -i {project.container()} python3 - <<'END'\n{LOOK}\nEND"
    found = project.ssh(look).splitlines()
    again = project.must("deploy", "--force", **given)

    assert "may listen on ports below 1024" in said
    assert "writable-root" in said
    assert found == [str(WORDS), f"{1 << 10:016x}", "False", str(8 << 20)]
    held = project.ssh(
        f"cd {data}; cat uploads/written cache/written; stat -c '%U %a' . uploads cache"
    )
    owner = f"{project.settings['PROJECT']}-www 750\n"
    assert held == f"/app/uploads/var/cache/app{owner * 3}"
    assert "may listen" in again
    # Not the rest of the node: tests of keys that ran before may have left some.
    drift = json.loads(project.fab("drift", "--json", **given).out)["findings"]
    assert [one for one in drift if one["remedy"] == "fab deploy"] == []
    project.ssh(f"rm -r {data}/uploads {data}/cache {data}/written")


@pytest.mark.slow
def test_a_volume_that_the_app_replaced_by_a_link_is_not_mounted(toy: Toy) -> None:
    project, given = toy.project, toy.settings("link", VOLUMES="uploads:/app/uploads")
    data = f"/var/lib/{project.settings['PROJECT']}-www/data"
    project.ssh(f"rm -rf {data}/uploads; ln -s /etc {data}/uploads")

    said = project.fab("deploy", **given)
    project.ssh(f"rm {data}/uploads")

    assert said.code == 1
    assert f"{data}/uploads is not a folder but a link" in said.out
    project.must("deploy", **given)
    project.ssh(f"rmdir {data}/uploads")


def test_a_volume_belongs_to_the_user_that_the_image_names(toy: Toy) -> None:
    project = toy.project
    app = f"{project.settings['PROJECT']}-www"
    data = f"/var/lib/{app}/data"
    own = {"CONTAINER_USER": "image", "VOLUMES": "up:/up", "HEALTH_TIMEOUT_SECONDS": "60"}
    given = toy.settings("volume", "USER 1000:2000", **own)
    project.ssh(f"mv {data} {data}.kept; install -d -m 0750 {data}")
    try:
        project.must("deploy", **given)
        write = "open('/up/1', 'w').write('x')"
        project.ssh(f'podman exec {project.container()} python3 -c "{write}"')
        written = project.ssh(f"cat {data}/up/1")
        owners = project.ssh(f"stat -c %u:%g {data} {data}/up")
    finally:
        project.ssh(f"rm -rf {data}; mv {data}.kept {data}")

    assert written == "x"
    assert owners.split() == ["1000:2000", "1000:2000"]
