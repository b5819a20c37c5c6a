"""The values of the templates' blanks."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploy.spec.plan.addresses import app_uid
from deploy.spec.plan.values import template_values
from tests.unit.deploy.examples import settings

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
ESCAPES = {"n": "\n", "r": "\r", "\\": "\\", '"': '"'}


def unescaped(word: str) -> str:
    """Read a quoted word of a unit as systemd does: C escapes, then % and $ doubled."""
    text = re.sub(r"\\(.)", lambda match: ESCAPES[match[1]], word)
    return text.replace("%%", "%").replace("$$", "$")


@pytest.mark.parametrize(("app", "uid"), [("shop-www", 26016), ("serbest-www", 36293)])
def test_an_apps_number_never_changes(app: str, uid: int) -> None:
    assert app_uid(app) == uid


@given(NAMES)
def test_an_apps_number_is_in_its_range(app: str) -> None:
    assert 20_000 <= app_uid(app) < 40_000


@given(TEXTS)
@example('\\"\n\r%s$HOME\\n')
def test_any_value_survives_in_a_unit_and_stays_on_its_line(text: str) -> None:
    words = template_values(settings(**{"ENV_*": {"X": text}}))["ENVIRONMENT"]
    assert isinstance(words, tuple)
    word = words[0]

    assert word.startswith('"X=')
    assert not re.search(r"[\n\r]", word)
    assert not re.search(r'(?<!\\)(\\\\)*"', word[1:-1]), "a quote would end the word"
    assert unescaped(word[3:-1]) == text


def test_what_systemd_would_expand_is_doubled() -> None:
    values = template_values(settings(**{"ENV_*": {"X": "100% of $HOME"}}))

    assert values["ENVIRONMENT"] == ('"X=100%% of $$HOME"',)


def test_variables_are_in_the_order_of_their_names() -> None:
    values = template_values(settings(**{"ENV_*": {"B": "2", "A": "1"}}))

    assert values["ENVIRONMENT"] == ('"A=1"', '"B=2"')


@pytest.mark.parametrize(
    ("window", "days", "start", "minutes"),
    [
        ("Sat,Sun 03:00-05:00", '"Sat", "Sun"', "03:00", "120"),
        ("Fri 23:00-01:30", '"Fri"', "23:00", "150"),
    ],
)
def test_an_update_window_may_cross_midnight(
    window: str, days: str, start: str, minutes: str
) -> None:
    values = template_values(settings(UPDATE_WINDOW=window))

    assert (values["UPDATE_DAYS"], values["UPDATE_START"]) == (days, start)
    assert values["UPDATE_MINUTES"] == minutes


@pytest.mark.parametrize(
    ("wanted", "enabled", "strategy"),
    [
        ("periodic", "true", "periodic"),
        ("immediate", "true", "immediate"),
        ("off", "false", "immediate"),
    ],
)
def test_updates_that_are_off_still_have_a_strategy_that_zincati_knows(
    wanted: str, enabled: str, strategy: str
) -> None:
    values = template_values(settings(UPDATE_STRATEGY=wanted))

    assert (values["UPDATES_ENABLED"], values["UPDATE_STRATEGY"]) == (enabled, strategy)


def test_ports_are_let_in_by_their_protocol() -> None:
    values = template_values(settings(FIREWALL_PORTS="9100, 51820/udp, 53/udp"))

    assert values["FIREWALL_TCP_PORT"] == ("9100",)
    assert values["FIREWALL_UDP_PORT"] == ("51820", "53")


def test_what_is_off_has_no_line() -> None:
    values = template_values(settings(SWAP_MEGABYTES="0", CONTAINER_USER="image"))
    off = ("SWAP_DEVICE", "SWAP_MEGABYTES", "HTTP_PORT", "CONTAINER_HTTP_PORT", "CONTAINER_UID")

    assert {name: values[name] for name in (*off, "SMTP_HOST", "SMTP_PORT", "SMTP_USER")} == (
        dict.fromkeys((*off, "SMTP_HOST", "SMTP_PORT", "SMTP_USER"), ())
    )
    assert (values["DATA_USER"], values["DATA_UID"]) == ((), (values["UID"],))
    assert values["DATA_OWNER"] == ":shop-www"


def test_the_container_bears_the_apps_number_unless_the_image_decides() -> None:
    values = template_values(settings())

    assert values["CONTAINER_UID"] == (values["UID"],)
    assert (values["DATA_USER"], values["DATA_UID"]) == (("shop-www",), ())
    assert values["DATA_OWNER"] == "shop-www"


@given(st.lists(TEXTS, min_size=1, max_size=3))
@example(["sh", "-c", "echo $HOME 100%", ""])
def test_a_command_survives_in_a_unit_word_by_word(words: list[str]) -> None:
    given_words = settings().model_copy(update={"container_command": tuple(words)})
    line = template_values(given_words)["COMMAND"][0]

    assert not re.search(r"[\n\r]", line)
    assert [unescaped(word) for word in re.findall(r'"((?:\\.|[^"\\])*)"', line)] == words


def test_what_the_container_gets_has_a_line_each() -> None:
    values = template_values(
        settings(
            VOLUMES="uploads:/app/uploads, cache:/var/cache",
            CONTAINER_TMPFS="/cache:64m, /run",
            CONTAINER_CAPABILITIES="NET_BIND_SERVICE, CHOWN",
        )
    )

    assert values["VOLUME"] == ("uploads", "cache")
    assert values["VOLUME_TARGET"] == ("/app/uploads", "/var/cache")
    assert values["TMPFS"] == ("/cache:rw,mode=1777,U,size=64m", "/run:rw,mode=1777,U")
    assert values["CAPABILITY"] == ("NET_BIND_SERVICE", "CHOWN")


def test_an_app_has_a_port_or_a_folder_for_its_socket() -> None:
    port, socket = (
        template_values(settings(TLS="proxy", CONTAINER_PORT=one))
        for one in ("h2c:9000", "unix:/run/app/http.sock")
    )

    assert port["CONTAINER_PORT"] == ("9000",)
    assert port["CONTAINER_SOCKET"] == port["SOCKET_FOLDER"] == port["SOCKETS"] == ()
    assert socket["CONTAINER_PORT"] == ()
    assert socket["CONTAINER_SOCKET"] == ("/run/app/http.sock",)
    assert socket["SOCKET_FOLDER"] == ("/run/app",)
    assert socket["SOCKET_GROUP"] == (str(app_uid("corefab-proxy")),)


def test_systemd_waits_longer_than_podman() -> None:
    values = template_values(settings(STOP_SECONDS="10", HEALTH_TIMEOUT_SECONDS="60"))

    assert int(str(values["STOP_LIMIT_SECONDS"])) > int(str(values["STOP_SECONDS"])) == 10
    assert int(str(values["START_SECONDS"])) > 60


def test_no_value_holds_a_secret() -> None:
    given = settings(
        CERT_PASSWORD="hunter2",
        SMTP_HOST="mail",
        SMTP_PASSWORD="hunter2",
        **{"SECRET_*": {"token": "hunter2"}},
    )

    values = template_values(given, ("ssh-ed25519 AAAA me",))
    assert "hunter2" not in repr(values)
    assert values["CREDENTIAL"] == ("cert_pass", "smtp_pass", "token")
    assert values["SSH_KEY"] == ("ssh-ed25519 AAAA me",)


def test_a_zone_in_smtp_host_is_no_specifier_of_systemd() -> None:
    values = template_values(settings(SMTP_HOST="mail%eth0.example.org", SMTP_PASSWORD="x"))

    assert values["SMTP_HOST"] == ("mail%%eth0.example.org",)


def test_a_socket_takes_the_doors_place() -> None:
    door = template_values(settings(HTTP_PORT="80"))
    by_socket = template_values(settings(HTTP_PORT="80", SWITCH="socket", NOTIFY="true"))

    assert (door["SOCKET"], door["DOOR_HTTPS_PORT"], door["DOOR_HTTP_PORT"]) == (
        *((), ("443",), ("80",)),
    )
    assert by_socket["SOCKET"] == ("shop-www.socket",)
    assert (door["SOCKET_NONBLOCKING"], by_socket["SOCKET_NONBLOCKING"]) == ((), ("true",))
    assert by_socket["DOOR_HTTPS_PORT"] == by_socket["DOOR_HTTP_PORT"] == ()
