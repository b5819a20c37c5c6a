"""Images of ordinary web apps: tried on a node of their own, and deployed."""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.examples.build import EXAMPLES, build
from rehearsal import lifecycle
from tests.images import build_image, remove_images
from tests.root import ROOT
from tests.system.conftest import CERT_PASSWORD
from tests.system.project import AUTHORITY_PASSWORD, Project, make_project, write_settings
from tests.system.proxied import page, said, websocket
from tests.system.rehearsal.nodes import require_nodes

pytestmark = [pytest.mark.node, pytest.mark.slow]
# What everyone has to set, and how a test logs in.
LEAST = {
    "IMAGE": "localhost/shop:latest",
    "CERT_NAMES": "shop.example.org",
    "NODE_ADDRESS": "rehearsal",
    "ACME_EMAIL": "ops@example.org",
    "SSH_KEYS": "id.pub",
    "IDENTITY_FILE": "id",
    "CERT_PASSWORD": CERT_PASSWORD,
    "AUTHORITY_PASSWORD": AUTHORITY_PASSWORD,
    "SETTLE_SECONDS": "0",
}

PAGES = {
    "flask": "Flask serves this page",
    "go": "Go serves this page",
    "nginx": "nginx serves this page",
    "node": "Node serves this page",
    "php": "PHP serves this page",
}
START = "/usr/sbin/nginx -e stderr -c /etc/nginx/"
NGINX = """
daemon off;
user www;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /var/cache/nginx/body;
  proxy_temp_path /var/cache/nginx/proxy;
  fastcgi_temp_path /var/cache/nginx/fastcgi;
  uwsgi_temp_path /var/cache/nginx/uwsgi;
  scgi_temp_path /var/cache/nginx/scgi;
  server {
    listen LISTEN;
    location / { return 404; }
    location = /healthz { return 200 "nginx is healthy"; }
  }
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Boot a node from the fewest settings."""
    require_nodes()
    made = make_project(tmp_path_factory.mktemp("site"), f"shop{os.getpid()}")
    made.settings = {"PROJECT": made.settings["PROJECT"], **LEAST}
    write_settings(made.folder / ".env", "", made.settings)
    try:
        made.must("prepare", "--yes")
        made.must("rehearsal-up")
        yield made
    finally:
        made.node_down()


@pytest.fixture(scope="module")
def rooted(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build one of the nginx example that starts as root, at port 80, and writes to /run."""
    folder = tmp_path_factory.mktemp("rooted")
    for name, listen in {
        "root": "80",
        "local": "127.0.0.1:8080",
        "tls": "8443 ssl; ssl_certificate /self.crt; ssl_certificate_key /self.key",
    }.items():
        (folder / f"{name}.conf").write_text(NGINX.replace("LISTEN", listen))
    pair = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=self"]
    pair += ["-keyout", "self.key", "-out", "self.crt"]
    subprocess.run(pair, cwd=folder, check=True, capture_output=True)
    (folder / "self.key").chmod(0o644)
    image = f"localhost/corefab-rooted{os.getpid()}:latest"
    text = (
        f"FROM {images['nginx']}\nCOPY *.conf /etc/nginx/\nCOPY self.* /\nUSER root\n"
        "COPY root.conf /var/cache/nginx/\nVOLUME /srv/pictures\nEXPOSE 80\n"
        f"CMD {json.dumps(shlex.split(START + 'root.conf'))}\n"
    )
    build_image(image, text, folder, form="docker")
    yield image
    remove_images(image)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Project]:
    """Have a fresh checkout without settings; no node of a try is left behind."""
    require_nodes()
    subprocess.run([ROOT / "scripts/checkout", tmp_path], check=True)
    yield Project(tmp_path)
    assert [one.name for one in lifecycle.status() if one.owner == tmp_path] == []


def lines_of(said: str) -> dict[str, str]:
    """Read the lines for .env at the end of what a try says."""
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", said, re.MULTILINE))


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    """Build the examples; hand out the image of each."""
    require_nodes()
    made = {name: f"localhost/corefab-{name}{os.getpid()}:latest" for name in PAGES}
    for name, image in made.items():
        build(name, image)
    yield made
    remove_images(*made.values())


@pytest.fixture(scope="module")
def examples(site: Project, images: dict[str, str]) -> Project:
    """Deploy every example as an app of its own, in the way of the README."""
    for name, image in images.items():
        own = {"NAME": name, "IMAGE": image, "CERT_NAMES": f"{name}.example.org"}
        write_settings(site.folder / f".env.{name}", "", own | {"ENV_RELEASE": "1"})
        site.must("cert-issue", "--name", name)
        site.must("deploy", "--first", "--name", name)
    return site


@pytest.mark.parametrize("name", PAGES)
def test_an_example_is_deployed_with_the_fewest_settings_and_served_by_its_name(
    examples: Project, name: str
) -> None:
    status, text = page(examples, f"{name}.example.org")

    assert (status, PAGES[name] in text) == (200, True), text
    status, text = page(examples, f"{name}.example.org", "/health")
    assert (status, text.strip()) == (200, "ok")


def test_every_example_that_serves_a_page_is_deployed() -> None:
    assert PAGES.keys() == EXAMPLES.keys() - {"caddy"}


def test_a_websocket_of_the_node_app_is_held_until_it_ends_or_the_slot_has_drained(
    examples: Project,
) -> None:
    before = examples.container("node")
    with websocket(examples, "node.example.org", "/socket") as held:
        assert said(held, "1") == "1"
        deploying = examples.start("deploy", "--name", "node", ENV_RELEASE="2", DRAIN_SECONDS="20")
        assert deploying.stdout
        # The other slot serves; this one drains while the connection lasts.
        while examples.container("node") == before:
            assert deploying.poll() is None
        assert page(examples, "node.example.org")[0] == 200
        assert said(held, "2") == "2"
        assert deploying.poll() is None
    rest, _ = deploying.communicate(timeout=120)
    assert deploying.returncode == 0, rest

    with websocket(examples, "node.example.org", "/socket") as held:
        assert said(held, "3") == "3"
        examples.must("deploy", "--name", "node", DRAIN_SECONDS="1")
        # The end of the connection, or a frame that announces it.
        assert held.recv(1) in {b"", b"\x88"}


def test_an_image_with_needs_is_tried_without_settings_and_deployed_with_the_lines_it_prints(
    newcomer: Project, site: Project, rooted: str
) -> None:
    said = newcomer.must("try", rooted)

    lines = lines_of(said)
    assert lines == {
        "IMAGE": rooted,
        "CONTAINER_PORT": "80",
        "CONTAINER_CAPABILITIES": "NET_BIND_SERVICE",
        "CONTAINER_TMPFS": "/run, /var/cache/nginx",
        "VOLUMES": "pictures:/srv/pictures",
        "HEALTH_PATH": "/healthz",
    }
    assert re.search(r"^✓ node try-[0-9]+ is gone$", said, re.MULTILINE)
    name = "rooted.example.org"
    own = lines | {"NAME": "rooted", "CERT_NAMES": name}
    write_settings(site.folder / ".env.rooted", "", own)
    site.must("cert-issue", "--name", "rooted")
    site.must("deploy", "--first", "--name", "rooted")
    assert page(site, name, "/healthz") == (200, "nginx is healthy")

    failed = site.fab("deploy", "--name", "rooted", CONTAINER_CAPABILITIES="")
    assert failed.code == 1
    assert (
        "it may not listen at a port below 1024: set CONTAINER_CAPABILITIES=NET_BIND_SERVICE, or "
        "have it listen at a port from 1024 on and set CONTAINER_PORT to that"
    ) in failed.out
    assert page(site, name, "/healthz") == (200, "nginx is healthy")


def test_an_image_that_listens_on_127_0_0_1_is_told_so(newcomer: Project, rooted: str) -> None:
    settings = {"IMAGE": rooted, "CONTAINER_COMMAND": f"{START}local.conf"}
    write_settings(newcomer.folder / ".env", "", settings)

    said = newcomer.fab("try")

    assert said.code == 1
    assert "the image listens at 127.0.0.1:8080 alone" in said.out
    assert "have it listen at 0.0.0.0" in said.out


def test_an_image_that_speaks_tls_is_told_from_one_of_plain_http(
    newcomer: Project, rooted: str
) -> None:
    write_settings(newcomer.folder / ".env", "", {"CONTAINER_COMMAND": f"{START}tls.conf"})

    said = newcomer.must("try", rooted)

    assert "TLS at 8443" in said
    assert "plain HTTP at" not in said
    assert lines_of(said)["TLS"] == "app"
    assert lines_of(said)["CONTAINER_HTTPS_PORT"] == "8443"


def test_an_image_that_speaks_http2_without_tls_alone_is_found_out(
    newcomer: Project, images: dict[str, str]
) -> None:
    server = "require('http2').createServer((asked, answer) => answer.end('ok')).listen(8080)"
    command = f'/usr/bin/node -e "{server}"'
    write_settings(newcomer.folder / ".env", "", {"CONTAINER_COMMAND": command})

    said = newcomer.must("try", images["node"])

    assert "HTTP/2 without TLS at 8080" in said
    assert lines_of(said)["CONTAINER_PORT"] == "h2c:8080"


def test_a_try_that_is_interrupted_leaves_no_node(
    newcomer: Project, images: dict[str, str]
) -> None:
    running = newcomer.start("try", images["go"])
    assert running.stdout
    # The node is up and has the image: the trials run.
    for line in running.stdout:
        if "the app's user, read-only root" in line:
            break
    os.killpg(running.pid, signal.SIGINT)
    rest, _ = running.communicate(timeout=120)

    assert running.returncode == 130, rest
    assert f"node try-{running.pid} is gone" in rest
    assert lifecycle.find(f"try-{running.pid}") is None


def test_an_image_that_is_not_here_is_named_before_a_node_is_started(newcomer: Project) -> None:
    said = newcomer.fab("try", "localhost/no-such-image")

    assert said.code == 1
    assert "localhost/no-such-image" in said.out
    assert "booting" not in said.out
