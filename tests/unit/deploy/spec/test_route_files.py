"""The operator's own part of a route."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import read_settings
from deploy.spec.plan.route import RouteFiles
from deploy.spec.route_files import read_route_files, unused_routes
from tests.unit.deploy.examples import settings


def project(folder: Path, **values: object) -> Project:
    return Project(folder, settings(**{"TLS": "proxy"} | values))


def test_without_files_there_is_nothing_of_the_operators(tmp_path: Path) -> None:
    assert read_route_files(project(tmp_path)) == RouteFiles()


def test_directives_pages_and_the_root_are_read(tmp_path: Path) -> None:
    (tmp_path / "proxy/errors").mkdir(parents=True)
    (tmp_path / "proxy/shop-www.caddy").write_text("redir /a /b\n\nheader X y\n")
    (tmp_path / "proxy/other-www.caddy").write_text("nothing of ours\n")
    (tmp_path / "proxy/errors/502.html").write_bytes(b"soon")
    (tmp_path / "root.pem").write_bytes(b"PEM")

    found = read_route_files(project(tmp_path, ACME_ROOT="root.pem"))

    assert found == RouteFiles(("redir /a /b", "", "header X y"), {"502.html": b"soon"}, b"PEM")


def test_an_app_that_ends_tls_itself_has_none(tmp_path: Path) -> None:
    (tmp_path / "proxy").mkdir()
    (tmp_path / "proxy/shop-www.caddy").write_text("redir /a /b\n")

    assert read_route_files(project(tmp_path, TLS="app")) == RouteFiles()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("proxy/shop-www.caddy", b"\xff", "not UTF-8"),
        ("proxy/errors/oops.html", b"", "no error page"),
        ("proxy/errors/502.html", b"x" * 300_000, "larger than"),
        ("proxy/static/a b.txt", b"", "static file"),
        ("proxy/static/.env", b"", "static file"),
        ("proxy/static/.well-known/.env", b"", "static file"),
        ("proxy/static/.well-known", b"", "static file"),
        ("proxy/static/big.js", b"x" * 300_000, "larger than"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)

    with pytest.raises(DeployError, match=why) as caught:
        read_route_files(project(tmp_path))

    assert file.name in caught.value.message


def test_a_root_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"root\.pem cannot be read"):
        read_route_files(project(tmp_path, ACME_ROOT="root.pem"))


def test_static_files_come_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "proxy/static/img").mkdir(parents=True)
    (tmp_path / "proxy/static/robots.txt").write_bytes(b"User-agent: *")
    (tmp_path / "proxy/static/img/a.svg").write_bytes(b"<svg/>")
    (tmp_path / "proxy/static/.well-known").mkdir()
    (tmp_path / "proxy/static/.well-known/security.txt").write_bytes(b"Contact: x")

    found = read_route_files(project(tmp_path)).pages

    assert found == {
        "static/robots.txt": b"User-agent: *",
        "static/img/a.svg": b"<svg/>",
        "static/.well-known/security.txt": b"Contact: x",
    }


def test_a_link_below_static_is_refused(tmp_path: Path) -> None:
    (tmp_path / "proxy/static").mkdir(parents=True)
    (tmp_path / "proxy/static/key.txt").symlink_to("/etc/shadow")

    with pytest.raises(DeployError, match=r"static/key\.txt"):
        read_route_files(project(tmp_path))


def test_static_files_have_a_limit_together(tmp_path: Path) -> None:
    (tmp_path / "proxy/static").mkdir(parents=True)
    for number in range(5):
        (tmp_path / f"proxy/static/{number}.bin").write_bytes(b"x" * 250_000)

    with pytest.raises(DeployError, match="more than 1 MiB"):
        read_route_files(project(tmp_path))


@pytest.mark.parametrize(
    ("name", "tls", "unused"),
    [
        ("shop-www", "proxy", False),
        ("shop-staging", "proxy", False),
        ("shop-wwww", "proxy", True),
        ("shop-www", "app", True),
    ],
)
def test_directives_of_no_app_are_found(
    tmp_path: Path, name: str, tls: str, *, unused: bool
) -> None:
    lines = "PROJECT=shop\nIMAGE=x\nCERT_NAMES=a.example.org\nNODE_ADDRESS=192.0.2.1\n"
    (tmp_path / ".env").write_text(f"{lines}TLS={tls}\n")
    (tmp_path / ".env.staging").write_text("NAME=staging\nCERT_NAMES=b.example.org\nTLS=proxy\n")
    (tmp_path / "proxy").mkdir()
    (tmp_path / f"proxy/{name}.caddy").write_text("redir /a /b\n")

    found = list(unused_routes(Project(tmp_path, read_settings(tmp_path))))

    assert [one.file for one in found] == ([f"proxy/{name}.caddy"] if unused else [])
