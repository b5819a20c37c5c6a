"""The most hardening is found with which an image serves."""

import pytest

from deploy.rehearse.plan.observation import ImageConfig, Observation
from deploy.rehearse.plan.search import PODMANS, Lines
from tests.unit.deploy.rehearse.plan.trials import capabilities, ended, judge, reply, seen, wrote


def test_an_image_that_serves_with_everything_needs_no_setting() -> None:
    found, tried = judge(lambda _: seen())

    assert found.lines == {}
    assert tried[0] == {}
    assert len(tried) == 2


def test_another_port_and_health_path_are_named() -> None:
    replies = (reply(3000, status=404), reply(3000, "/health"))
    found, _ = judge(lambda _: seen(listening=("0.0.0.0:3000",), replies=replies))

    assert found.lines == {"CONTAINER_PORT": "3000", "HEALTH_PATH": "/health"}


@pytest.mark.parametrize(
    ("ports", "declared", "chosen"),
    [((8080, 9090), (), {}), ((9090, 3000), ("9090/tcp",), {"CONTAINER_PORT": "9090"})],
)
def test_of_several_ports_the_default_is_taken_or_the_one_that_the_image_declares(
    ports: tuple[int, ...], declared: tuple[str, ...], chosen: Lines
) -> None:
    found, _ = judge(
        lambda _: seen(
            listening=tuple(f"*:{one}" for one in ports),
            replies=tuple(map(reply, ports)),
            image=ImageConfig(ports=declared),
        )
    )

    assert found.lines == chosen


def test_plain_http_is_preferred_to_tls() -> None:
    both = (reply(8443, scheme="https"), reply(9000))
    found, _ = judge(lambda _: seen(listening=("*:8443", "*:9000"), replies=both))

    assert found.lines == {"CONTAINER_PORT": "9000"}


def test_http2_without_tls_comes_behind_plain_http_and_before_tls() -> None:
    both = (reply(8443, scheme="https"), reply(8080, scheme="h2c"))
    found, _ = judge(lambda _: seen(listening=("*:8443", "*:8080"), replies=both))

    assert found.lines == {"CONTAINER_PORT": "h2c:8080"}


def test_an_image_that_speaks_tls_alone_is_one_that_ends_tls_itself() -> None:
    found, _ = judge(lambda _: seen(listening=("*:8443",), replies=(reply(8443, scheme="https"),)))

    assert found.lines == {"TLS": "app", "CONTAINER_HTTPS_PORT": "8443"}


def test_a_privileged_port_needs_one_capability_and_no_other_user() -> None:
    def image(lines: Lines) -> Observation:
        if "NET_BIND_SERVICE" not in capabilities(lines):
            return ended("Permission denied")
        return seen(listening=("0.0.0.0:80",), replies=(reply(80),))

    found, _ = judge(image)

    assert found.lines == {"CONTAINER_PORT": "80", "CONTAINER_CAPABILITIES": "NET_BIND_SERVICE"}


@pytest.mark.parametrize(
    "needed", [set(), {"CHOWN"}, {"SETGID", "SETUID"}, {"CHOWN", "DAC_OVERRIDE", "SYS_CHROOT"}]
)
def test_only_the_capabilities_are_given_without_which_it_does_not_serve(needed: set[str]) -> None:
    def image(lines: Lines) -> Observation:
        works = "CONTAINER_USER" in lines and capabilities(lines) >= needed
        return seen() if works else ended("Operation not permitted")

    found, _ = judge(image)

    assert found.lines is not None
    assert capabilities(found.lines) == needed
    assert found.lines["CONTAINER_USER"] == "image"
    assert "READ_ONLY" not in found.lines


def test_folders_are_mounted_where_it_writes_and_the_root_stays_read_only() -> None:
    def image(lines: Lines) -> Observation:
        if "READ_ONLY" not in lines and "/app/uploads" not in lines.get("VOLUMES", ""):
            return ended("Read-only file system")
        return seen(written=wrote("app/", "app/uploads/", "+app/uploads/1"))

    found, _ = judge(image)

    assert found.lines == {"VOLUMES": "uploads:/app/uploads"}


def test_folders_are_mounted_even_where_it_serves_without_them() -> None:
    found, _ = judge(lambda _: seen(written=wrote("app/", "app/uploads/", "+app/uploads/1")))

    assert found.lines == {"VOLUMES": "uploads:/app/uploads"}


def test_the_root_is_writable_only_where_nothing_else_helps() -> None:
    def image(lines: Lines) -> Observation:
        if "READ_ONLY" not in lines:
            return ended("Read-only file system")
        return seen(written=wrote("etc/", "+etc/made"))

    found, _ = judge(image)

    assert found.lines == {"CONTAINER_USER": "image", "READ_ONLY": "false"}
    assert found.writes.elsewhere == ("/etc/made",)


def test_volumes_that_hide_what_it_needs_are_left_out() -> None:
    def image(lines: Lines) -> Observation:
        if "VOLUMES" in lines or "READ_ONLY" not in lines:
            return ended("no such file")
        return seen(image=ImageConfig(volumes=("/var/www",)))

    found, _ = judge(image)

    assert found.lines == {"CONTAINER_USER": "image", "READ_ONLY": "false"}


@pytest.mark.parametrize(
    "what",
    [
        ended("no DATABASE_URL"),
        seen(listening=(), replies=()),
        seen(listening=("127.0.0.1:5000", "[::1]:5000"), replies=(reply(5000),)),
        seen(listening=("*:5432",), replies=()),
    ],
)
def test_an_image_that_never_serves_is_tried_twice_and_gets_no_settings(what: Observation) -> None:
    found, tried = judge(lambda _: what)

    assert found.lines is None
    assert len(tried) == 2
    assert capabilities(tried[1]) == set(PODMANS)


def test_a_worse_answer_than_without_hardening_is_not_enough() -> None:
    def image(lines: Lines) -> Observation:
        return seen() if "CONTAINER_USER" in lines else seen(replies=(reply(status=502),))

    found, _ = judge(image)

    assert found.lines == {"CONTAINER_USER": "image"}


def test_an_image_that_stops_serving_gets_no_settings() -> None:
    answers = iter((ended(), seen()))
    found, _ = judge(lambda _: next(answers, ended()))

    assert found.lines is None
    assert found.serves == reply()
