"""`.env`, `.env.NAME` and the environment become settings, or one message with every problem."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.conflicts import SET_BY_US
from deploy.settings.load import SettingsError, read_settings, with_node
from deploy.settings.model import KEYS, Settings, allowed
from deploy.settings.types import ContainerPort
from tests.root import ROOT
from tests.unit.deploy.settings.conftest import REQUIRED

Write = Callable[..., Path]


def refused(folder: Path, name: str | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        read_settings(folder, name)
    return caught.value


def test_an_empty_value_means_the_default(write: Write) -> None:
    settings = read_settings(write(HTTPS_PORT="", NODE_ADDRESS="", KNOWN_HOSTS=""))

    assert settings.https_port == 443
    assert settings.node_address == ""
    assert settings.known_hosts == Path("certs/known_hosts")


def test_settings_cannot_be_changed_afterwards(write: Write) -> None:
    settings = read_settings(write())

    with pytest.raises(ValueError, match="frozen"):
        settings.project = "other"  # type: ignore[misc]


def test_without_any_file_every_required_setting_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path)

    assert error.missing == tuple(REQUIRED)
    assert all(f"{key} is missing; allowed: {allowed(key)}" in error.message for key in REQUIRED)
    assert "correct .env;" in error.hint


def test_all_problems_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\nPROJECT=shop\n\nHTTPS_PORT=99999\nHTPS_PORT=1\nTIME_ZONE=Nowhere\n=broken\n"
    )

    error = refused(tmp_path)

    assert error.message.splitlines() == [
        "6 problems in the settings:",
        "  .env:5: unknown setting HTPS_PORT; did you mean HTTPS_PORT?",
        "  .env:7: not of the form KEY=value",
        "  IMAGE is missing; allowed: an image name such as localhost/shop:latest (lower case), "
        "docker-daemon:NAME, oci:FOLDER, oci-archive:FILE or docker-archive:FILE",
        '  .env:4: HTTPS_PORT is "99999"; allowed: a port from 1 to 65535',
        '  .env:6: TIME_ZONE is "Nowhere"; allowed: a time zone such as Europe/Sofia or UTC',
        "  CERT_NAMES is missing; allowed: lower-case host names (a leading *. may be) and "
        "IP addresses, separated by commas",
    ]
    assert error.missing == (), "nothing to ask for while something else is wrong"


@pytest.mark.parametrize("blank", ["\n\n", "  \n\t\n", "\r\n\r\n", "# why\n\n  # so\n"])
def test_blank_lines_and_comments_count_in_line_numbers(tmp_path: Path, blank: str) -> None:
    text = f"PROJECT=shop\n{blank}HTTPS_PORT=x\n"
    (tmp_path / ".env").write_bytes(text.encode())

    line = text[: text.index("HTTPS_PORT")].count("\n") + 1
    assert f".env:{line}: HTTPS_PORT is" in refused(tmp_path).message


def test_an_unknown_key_unlike_any_other_gets_no_suggestion(write: Write) -> None:
    message = refused(write(ZZZZZ="1")).message

    assert "unknown setting ZZZZZ" in message
    assert "did you mean" not in message


def test_a_setting_that_was_removed_says_what_to_do(write: Write) -> None:
    message = refused(write(IMAGE_MODE="delta")).message

    assert (
        "IMAGE_MODE was removed (every image is sent as it was built); delete the line" in message
    )


@pytest.mark.parametrize("typo", ["https_port", "HTTPSPORT", "HTTPS_PORTS"])
def test_an_unknown_key_suggests_the_nearest(write: Write, typo: str) -> None:
    assert (
        f"unknown setting {typo}; did you mean HTTPS_PORT?" in refused(write(**{typo: "1"})).message
    )


def test_a_key_set_twice_in_a_file_is_refused_with_both_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NAME=a\nNAME=b\n")

    assert ".env:2: NAME is set again, first in .env:1" in refused(tmp_path).message


def test_a_line_without_a_value_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("hunter2\n")

    message = refused(tmp_path).message

    assert ".env:1: not of the form KEY=value" in message
    assert "hunter2" not in message


def test_values_are_taken_literally(write: Write) -> None:
    settings = read_settings(write(SMTP_USER="${HOME}", ENV_PRICE="'$5 # net'"))

    assert settings.smtp_user == "${HOME}"
    assert settings.environment == {"PRICE": "$5 # net"}


def test_text_that_is_not_utf8_is_refused_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PROJECT=sh\xffp\n")

    assert ".env: not UTF-8 text (byte 10)" in refused(tmp_path).message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named_with_what_to_type(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env").write_bytes("PROJECT=shop\n".encode(encoding))

    message = refused(tmp_path).message

    assert ".env: UTF-16 text" in message
    assert "iconv -f UTF-16 -t UTF-8 .env >.env.new && mv .env.new .env" in message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_line_ends_of_any_kind_are_read(tmp_path: Path, end: str) -> None:
    lines = ("\ufeffPROJECT=shop", "IMAGE=i", "CERT_NAMES=a.example", "")
    (tmp_path / ".env").write_bytes(end.join(lines).encode())

    assert read_settings(tmp_path).project == "shop"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"a\nb\\c", r"a\nb\\c"),
        (r'"a\nb\tc\"d\\e"', 'a\nb\tc"d\\e'),
        (r'"$HOME \d"', r"$HOME \d"),
        (r"'a\nb\'c\\d'", r"a\nb'c\d"),
        ('"a\nb"', "a\nb"),
    ],
)
def test_a_backslash_escapes_between_quotes_only(tmp_path: Path, written: str, value: str) -> None:
    text = f"PROJECT=shop\nIMAGE=i\nCERT_NAMES=a.example\nENV_X={written}\n"
    (tmp_path / ".env").write_text(text)

    assert read_settings(tmp_path).environment == {"X": value}


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()

    assert ".env cannot be read" in refused(tmp_path).message


def test_an_instances_file_overrides_the_common_file(write: Write) -> None:
    folder = write(HTTPS_PORT="443", HTTP_PORT="80")
    (folder / ".env.staging").write_text("HTTPS_PORT=8443\n")

    staging, www = read_settings(folder, "staging"), read_settings(folder)

    assert (staging.app, staging.https_port, staging.http_port) == ("shop-staging", 8443, 80)
    assert (www.app, www.https_port) == ("shop-www", 443)


def test_the_requested_instance_wins_over_the_name_in_its_file(write: Write) -> None:
    folder = write(NAME="www")
    (folder / ".env.staging").write_text("NAME=www\n")

    assert read_settings(folder, "staging").name == "staging"


def test_a_problem_of_an_instance_names_its_file(write: Write) -> None:
    folder = write()
    (folder / ".env.staging").write_text("\nHTTPS_PORT=x\n")

    error = refused(folder, "staging")

    assert '.env.staging:2: HTTPS_PORT is "x"' in error.message
    assert "correct .env and .env.staging;" in error.hint


def test_an_instance_without_a_file_is_refused_with_a_list_of_instances(write: Write) -> None:
    folder = write()
    for name in ("example", "staging", "www"):
        (folder / f".env.{name}").write_text("")

    error = refused(folder, "stagin")

    assert ".env.stagin does not exist; instances here: staging, www" in error.message


@pytest.mark.parametrize("name", ["example", "../x", "Staging", "a\0b"])
def test_an_invalid_instance_name_is_refused(write: Write, name: str) -> None:
    folder = write()
    (folder / ".env.example").write_text("HTTPS_PORT=8443\n")
    (folder / ".env.Staging").write_text("")

    assert refused(folder, name).problems


def test_the_environment_overrides_the_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PORT", "9443")
    monkeypatch.setenv("ENV_GREETING", "from the environment")

    settings = read_settings(write(HTTPS_PORT="443", ENV_GREETING="from the file"))

    assert settings.https_port == 9443
    assert settings.environment == {"GREETING": "from the environment"}


def test_a_problem_in_the_environment_names_the_environment(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PORT", "many")

    assert 'environment: HTTPS_PORT is "many"' in refused(write()).message


def test_the_variable_name_of_a_shell_does_not_choose_the_instance(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "MY-LAPTOP")

    assert read_settings(write()).name == "www"


def test_a_variable_of_the_environment_alone_adds_nothing_to_the_groups(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENV_FOREIGN", "x")
    monkeypatch.setenv("SECRET_FOREIGN", "x")

    settings = read_settings(write())

    assert settings.environment == {}
    assert [source.credential for source in settings.sources] == ["cert_pass"]


def test_env_and_secret_keys_become_environment_and_credentials(write: Write) -> None:
    settings = read_settings(
        write(
            ENV_Greeting="hello",
            ENV_EMPTY="",
            SECRET_API_TOKEN="t0ken",
            SECRET_DB_COMMAND="pass show db",
            SECRET_ASKED="",
        )
    )

    assert settings.environment == {"Greeting": "hello", "EMPTY": ""}
    found = {source.credential: source for source in settings.sources}
    assert sorted(found) == ["api_token", "asked", "cert_pass", "db"]
    assert found["api_token"].key == "SECRET_API_TOKEN"
    assert found["api_token"].value
    assert found["api_token"].value.get_secret_value() == "t0ken"
    assert (found["db"].value, found["db"].command) == (None, "pass show db")
    assert (found["asked"].value, found["asked"].command) == (None, "")


def test_a_secret_called_command_is_a_secret_and_not_run(write: Write) -> None:
    settings = read_settings(write(SECRET_COMMAND="t0ken"))

    (source,) = (one for one in settings.sources if one.credential == "command")
    assert source.command == ""
    assert source.value
    assert source.value.get_secret_value() == "t0ken"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("ENV_", "; after ENV_ stand a letter, then letters, digits and _"),
        ("ENV_1X", "; after ENV_ stand a letter, then letters, digits and _"),
        ("ENV_A-B", "; after ENV_ stand a letter, then letters, digits and _"),
        ("SECRET_", "; after SECRET_ stand a capital letter, then capital letters, digits and _"),
        ("SECRET_A.B", "; after SECRET_ stand a capital letter"),
        ("SECRET_token", "; did you mean SECRET_TOKEN?"),
        ("env_x", "; did you mean ENV_X?"),
    ],
)
def test_a_group_without_a_usable_name_is_unknown_and_says_why(
    write: Write, key: str, why: str
) -> None:
    assert f"unknown setting {key}{why}" in refused(write(**{key: "x"})).message


def test_the_mail_password_is_a_credential_only_where_there_is_mail(write: Write) -> None:
    without = read_settings(write(SMTP_PASSWORD="x"))
    assert [source.credential for source in without.sources] == ["cert_pass"]

    settings = read_settings(write(SMTP_PASSWORD="x", SMTP_HOST="mail"))
    assert [source.credential for source in settings.sources] == ["cert_pass", "smtp_pass"]


def test_a_secret_is_never_shown(write: Write) -> None:
    secrets = {
        "CERT_PASSWORD": "hunter2-a",
        "SMTP_PASSWORD": "hunter2-b",
        "SECRET_X": "hunter2-c",
        "AUTHORITY_PASSWORD": "hunter2-e",
    }
    folder = write(**secrets, SMTP_HOST="mail")

    settings = read_settings(folder)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
    assert "hunter2" not in repr(settings.all_sources)
    assert "hunter2" not in settings.model_dump_json()

    error = refused(write(**secrets, CERT_PASWORD="hunter2-d", PROJECT="!", SECRET_X_COMMAND="x"))
    assert "hunter2" not in f"{error.message}{error.hint}{error.problems!r}"


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"HTTP_PORT": "443"}, "HTTP_PORT is 443, which HTTPS_PORT uses too"),
        ({"HTTPS_PORT": "22"}, "HTTPS_PORT is 22, which SSH uses too"),
        ({"HTTP_PORT": "2222", "NODE_PORT": "2222"}, "HTTP_PORT is 2222, which SSH uses too"),
        (
            {"CERT_PASSWORD": "x", "CERT_PASSWORD_COMMAND": "y"},
            "CERT_PASSWORD and CERT_PASSWORD_COMMAND are both set; remove one",
        ),
        (
            {"SECRET_API": "x", "SECRET_API_COMMAND": "y"},
            "SECRET_API and SECRET_API_COMMAND are both set; remove one",
        ),
        (
            {"AUTHORITY_PASSWORD": "x", "AUTHORITY_PASSWORD_COMMAND": "y"},
            "AUTHORITY_PASSWORD and AUTHORITY_PASSWORD_COMMAND are both set; remove one",
        ),
        (
            {"CERT_PASSWORD": "x", "AUTHORITY_PASSWORD": "x"},
            "AUTHORITY_PASSWORD is CERT_PASSWORD, which every container of the app has",
        ),
        (
            {"SECRET_CERT_PASS": "x"},
            "SECRET_CERT_PASS makes the credential cert_pass, and so does CERT_PASSWORD",
        ),
        (
            {"PROJECT": "p" * 20, "NAME": "n" * 12},
            "longer than 31 characters",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    complaint: Callable[..., str], values: dict[str, str], part: str
) -> None:
    message = complaint(**values)

    assert part in message
    assert ".env:" in message
    assert message.startswith("1 problem in the settings:")


def test_the_longest_app_is_accepted(write: Write) -> None:
    assert len(read_settings(write(PROJECT="p" * 20, NAME="n" * 10)).app) == 31


def test_answers_fill_missing_and_empty_keys(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT=\nNAME=shown\n")
    answers = {"PROJECT": "shop", "IMAGE": "i", "CERT_NAMES": "a.example", "NAME": "hidden"}

    settings = read_settings(tmp_path, answers=answers)

    assert (settings.project, settings.name) == ("shop", "shown")


def test_a_wrong_answer_is_named_as_an_answer(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='your answer: PROJECT is "NO"'):
        read_settings(tmp_path, answers={"PROJECT": "NO", "IMAGE": "i", "CERT_NAMES": "a.example"})


def test_another_node_replaces_address_port_and_public_address(write: Write) -> None:
    settings = read_settings(
        write(NODE_ADDRESS="a", NODE_PORT="2222", NODE_USER="me", PUBLIC_ADDRESS="b")
    )

    other = with_node(settings, "c", None, None)
    assert (other.node_address, other.node_port, other.public_address) == ("c", None, "")
    assert other.node_user == "me"
    assert with_node(settings, "c", 22, "you").node_user == "you"


def test_every_key_says_what_it_allows() -> None:
    assert all(allowed(key) for key in KEYS)
    assert allowed("NODE_PORT") == allowed("HTTPS_PORT") == "a port from 1 to 65535"
    assert set(KEYS) < {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", SET_BY_US)
def test_a_variable_that_the_container_gets_anyway_is_refused_with_the_setting_that_is_meant(
    write: Write, name: str
) -> None:
    error = refused(write(**{"TLS": "proxy", f"ENV_{name}": "1"}))

    assert f"ENV_{name}: the container gets {name} from {SET_BY_US[name]}" in error.message
    assert ".env:" in error.message


def test_every_variable_of_the_unit_is_refused_in_the_settings() -> None:
    unit = (ROOT / "butane/templates/app/@SLOT@.container").read_text()

    assert set(re.findall(r'^Environment="?([A-Z_]+)=', unit, re.MULTILINE)) <= SET_BY_US.keys()


def test_a_switch_by_socket_needs_ready_and_cannot_run_anything_before(write: Write) -> None:
    error = refused(write(SWITCH="socket", BEFORE_SWITCH="migrate"))

    assert "SWITCH is socket, which needs NOTIFY=true" in error.message
    assert "gets visitors as soon as it is ready" in error.message


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"VOLUMES": "a:/x, a:/y"}, "VOLUMES names a more than once"),
        ({"VOLUMES": "a:/x, b:/x"}, "VOLUMES has /x, and /x is a mount as well"),
        ({"VOLUMES": "a:/x, b:/x/y"}, "VOLUMES has /x/y, and /x is a mount as well"),
        ({"VOLUMES": "a:/x/y, b:/x"}, "VOLUMES has /x, and /x/y is a mount as well"),
        ({"VOLUMES": "a:/data"}, "VOLUMES has /data, and corefab mounts /data"),
        ({"VOLUMES": "a:/data/a"}, "VOLUMES has /data/a, and corefab mounts /data"),
        ({"VOLUMES": "a:/srv"}, "VOLUMES has /srv, and corefab mounts /srv/files"),
        ({"VOLUMES": "a:/etc/tls"}, "VOLUMES has /etc/tls, and corefab mounts /etc/tls"),
        ({"VOLUMES": "a:/etc"}, "VOLUMES has /etc, and corefab mounts /etc/tls"),
        ({"VOLUMES": "a:/run/mine"}, "VOLUMES has /run/mine, and corefab mounts /run"),
        ({"VOLUMES": "a:/proc/self"}, "VOLUMES has /proc/self, and corefab mounts /proc"),
        ({"CONTAINER_TMPFS": "/data"}, "CONTAINER_TMPFS has /data, and corefab mounts /data"),
        ({"CONTAINER_TMPFS": "/run/tls"}, "CONTAINER_TMPFS has /run/tls, and corefab mounts"),
        (
            {"TLS": "proxy", "CONTAINER_PORT": "unix:/run/http.sock"},
            "CONTAINER_PORT has /run, and corefab mounts /run/secrets",
        ),
        (
            {"TLS": "proxy", "CONTAINER_PORT": "unix:/x/http.sock", "VOLUMES": "a:/x"},
            "CONTAINER_PORT has /x, and /x is a mount as well",
        ),
        (
            {"VOLUMES": "a:/x", "CONTAINER_TMPFS": "/x/y"},
            "CONTAINER_TMPFS has /x/y, and /x is a mount as well",
        ),
    ],
)
def test_mounts_in_the_container_do_not_clash(
    complaint: Callable[..., str], values: dict[str, str], problem: str
) -> None:
    assert problem in complaint(**values)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("h2c:8080", ContainerPort(8080, h2c=True)),
        ("unix:/run/app/a.sock", ContainerPort(socket="/run/app/a.sock")),
    ],
)
def test_the_proxy_reaches_an_app_by_h2c_or_a_unix_socket(
    write: Write, text: str, port: ContainerPort
) -> None:
    settings = read_settings(write(TLS="proxy", CONTAINER_PORT=text))

    assert settings.container_port == port
    assert str(port) == text


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"TLS": "app"}, "which needs TLS=proxy"),
        ({"TLS": "none", "HTTP_PORT": "80"}, "which needs TLS=proxy"),
        ({"TLS": "proxy", "CONTAINER_USER": "image"}, "which needs CONTAINER_USER=app"),
    ],
)
def test_a_unix_socket_is_for_the_proxy_and_in_a_folder_of_the_apps_user(
    complaint: Callable[..., str], values: dict[str, str], problem: str
) -> None:
    said = complaint(CONTAINER_PORT="unix:/run/app/http.sock", **values)

    assert f"CONTAINER_PORT is unix:/run/app/http.sock, {problem}" in said


def test_mounts_beside_each_other_are_accepted(write: Callable[..., Path]) -> None:
    settings = read_settings(
        write(VOLUMES="a:/x/a, b:/x/ab, c:/database", CONTAINER_TMPFS="/run, /cache:1m")
    )

    assert [one.name for one in settings.volumes] == ["a", "b", "c"]


def test_an_empty_word_of_the_containers_command_is_refused(
    complaint: Callable[..., str],
) -> None:
    assert "CONTAINER_COMMAND has an empty word" in complaint(CONTAINER_COMMAND="serve --root ''")
