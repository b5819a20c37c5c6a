"""The templates that the project ships, rendered as they will be."""

import os
import re
from pathlib import Path

import pytest

from butane.assemble import Fragment, assemble
from butane.compile import compile_text
from butane.diff import diff
from butane.files import CarriedFile, carried_files
from butane.items import read_items
from butane.render import render_folder
from butane.translate.translation import translate
from deploy.settings.model import Settings
from deploy.spec.plan.addresses import SLOTS, subnets
from deploy.spec.plan.values import template_values
from tests.root import ROOT
from tests.stock_node import PROGRAMS
from tests.unit.butane.translate.outcome import ORACLE
from tests.unit.deploy.examples import settings
from tests.unit.deploy.spec.plan.test_values import unescaped

TEMPLATES = ROOT / "butane/templates"
FILES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFakeFakeFakeFakeFakeFakeFakeFakeFak me@here"
FULL = {
    "HTTP_PORT": "80",
    "FIREWALL_PORTS": "9100, 51820/udp",
    "SMTP_HOST": "mail.example.org",
    "SMTP_USER": "Owner <shop@example.org>",
    "HEALTH_PATH": "/it's?a=$1&b=%20",
    "ENV_*": {"GREETING": 'say "hi" at 100%\nfor $5'},
    "SECRET_*": {"token": "hunter2"},
    "VOLUMES": "uploads:/app/uploads, cache:/var/cache/app",
    "CONTAINER_COMMAND": 'serve --name "a b"',
    "CONTAINER_TMPFS": "/cache:64m, /run",
    "CONTAINER_CAPABILITIES": "NET_BIND_SERVICE",
    "READ_ONLY": "false",
    "PULL": "registry.example.org/shop/www:live",
}
SPARE = {"SWAP_MEGABYTES": "0", "CONTAINER_USER": "image", "UPDATE_STRATEGY": "off"}


def rendered(given: Settings) -> dict[str, str]:
    found = render_folder(TEMPLATES, template_values(given, (KEY,), b"SSHKRL"))
    return {name: content.decode() for name, content in found.items()}


def machine(given: Settings, folder: Path) -> dict[str, CarriedFile]:
    """Translate the whole machine spec, without a single warning; give its files by path."""
    texts = rendered(given)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    text = assemble(Fragment(name, texts[name]) for name in ("node.bu", "app.bu")).text
    translation = translate(text, files=folder, name="shop-www.bu")
    assert translation.reports == ()
    return {file.path: file for file in carried_files(translation.ignition or "")}


def test_every_blank_has_a_value_and_every_value_a_blank() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    blanks = set(re.findall(r"(?<!@)@([A-Z][A-Z0-9_]*)@(?!@)", text))

    assert blanks == set(template_values(settings()))


def test_every_file_is_included_once_and_every_included_file_is_there() -> None:
    included = [
        name
        for path in TEMPLATES.glob("*.bu")
        for name in re.findall(r"local: (\S+)", path.read_text().replace("@APP_FOLDER@", "app"))
    ]

    names = [path.relative_to(TEMPLATES).as_posix() for path in FILES if path.suffix != ".bu"]
    assert sorted(included) == sorted(
        {name.replace("@SLOT@", slot) for name in names for slot in SLOTS}
    )


@pytest.mark.parametrize("values", [{}, FULL, SPARE])
def test_the_machine_spec_translates_without_a_warning(
    tmp_path: Path, values: dict[str, object]
) -> None:
    files = machine(settings(**values), tmp_path)

    assert files["/etc/hostname"].content == b"corefab\n"
    assert not [path for path, file in files.items() if re.search(rb"@[A-Z_]+@", file.content)]


def test_a_node_made_today_holds_what_a_deploy_writes(tmp_path: Path) -> None:
    given = settings(**FULL)
    apps = {name: text for name, text in rendered(given).items() if name.startswith("app")}

    found = machine(given, tmp_path)
    translation = translate(apps["app.bu"], files=tmp_path)

    carried = carried_files(translation.ignition or "")
    assert {file.path: file for file in carried} == {
        file.path: found[file.path] for file in carried
    }
    assert {"/etc/containers/systemd/shop-www-blue.container", "/etc/sysusers.d/shop-www.conf"} <= {
        file.path for file in carried
    }


def test_no_firewall_file_flushes_what_is_not_ours(tmp_path: Path) -> None:
    files = machine(settings(**FULL), tmp_path)
    rules = "".join(file.content.decode() for path, file in files.items() if path.endswith(".nft"))

    assert "policy drop" in rules
    assert "flush" not in rules
    assert set(re.findall(r"^(?:delete )?table (\w+ [\w-]+)", rules, re.MULTILINE)) == {
        *("inet corefab", "inet shop-www-door")
    }
    assert set(re.findall(r"add element (\w+ [\w-]+)", rules)) == {
        *("inet corefab", "inet shop-www-door")
    }


def test_a_network_of_an_app_is_shut_off_from_other_bridges_and_link_local_services(
    tmp_path: Path,
) -> None:
    files = machine(settings(), tmp_path)
    door = files["/etc/corefab/doors/shop-www/table.nft"].content.decode()
    firewall = files["/etc/corefab/firewall.nft"].content.decode()
    four, six = subnets(settings())

    rules = door.partition("chain forward")[2]
    for family, network in (("ip", four), ("ip6", six)):
        assert f"{family} saddr {network} {family} daddr != {network} oifname" in rules
        assert f"{family} daddr {network} {family} saddr != {network} iifname" in rules
    assert f"ip saddr {four} ip daddr 169.254.0.0/16 drop" in rules
    forward = firewall.partition("chain forward")[2].splitlines()
    accepts, drops = (
        next(number for number, line in enumerate(forward) if line.strip().endswith(end))
        for end in ('"br-*" } accept', "169.254.0.0/16 drop")
    )
    assert drops < accepts


def test_sshd_refuses_the_retired_keys_of_the_spec(tmp_path: Path) -> None:
    files = machine(settings(), tmp_path)

    setting = files["/etc/ssh/sshd_config.d/31-corefab-revoked.conf"]
    assert setting.content == b"RevokedKeys /etc/ssh/corefab-revoked\n"
    assert files["/etc/ssh/corefab-revoked"].content == b"SSHKRL"


def test_the_firewall_lets_in_the_ports_of_the_settings_and_ssh(tmp_path: Path) -> None:
    files = machine(settings(**FULL), tmp_path)
    rules = "".join(file.content.decode() for path, file in files.items() if path.endswith(".nft"))

    assert sorted(re.findall(r"add element inet corefab (\w+) \{ (\d+) \}", rules)) == [
        ("tcp_ports", "22"),
        ("tcp_ports", "443"),
        ("tcp_ports", "80"),
        ("tcp_ports", "9100"),
        ("udp_ports", "51820"),
    ]


def test_the_container_sees_its_environment_as_it_was_written() -> None:
    unit = rendered(settings(**FULL))["app/blue.container"]
    words = re.findall(r'^Environment=(?:"(.*)"|([^"\'\\\n]*))$', unit, re.MULTILINE)
    found = dict(unescaped(quoted or plain).split("=", 1) for quoted, plain in words)

    assert len(words) == unit.count("Environment=")
    assert found == {
        "APP": "shop-www",
        "HTTPS_PORT": "8443",
        "HTTP_PORT": "8080",
        "HEALTH_PATH": "/it's?a=$1&b=%20",
        "SMTP_HOST": "mail.example.org",
        "PUBLIC_HTTPS_PORT": "443",
        "SMTP_PORT": "587",
        "SMTP_USER": "Owner <shop@example.org>",
        "GREETING": 'say "hi" at 100%\nfor $5',
    }


def test_every_credential_is_unsealed_by_systemd_and_given_to_the_container() -> None:
    unit = rendered(settings(**FULL))["app/blue.container"]

    for name in ("cert_pass", "smtp_pass", "token"):
        sealed = f"/var/lib/shop-www/blue/credentials/{name}"
        assert f"LoadCredentialEncrypted={name}:{sealed}\n" in unit
        assert f"${{CREDENTIALS_DIRECTORY}}/{name} /run/shop-www-blue/secrets/{name}\n" in unit
    assert "hunter2" not in unit


def test_the_container_is_hardened() -> None:
    unit = rendered(settings())["app/blue.container"].splitlines()

    assert {
        *("ReadOnly=true", "DropCapability=all", "NoNewPrivileges=true", "Pull=never"),
        *("MemoryMax=512M", "TasksMax=512", "RuntimeDirectoryMode=0700"),
    } <= set(unit)


def test_the_slots_differ_in_name_and_address_alone() -> None:
    texts = rendered(settings(**FULL))

    blue = texts["app/blue.container"].replace("blue", "green")
    differ = [
        (one, other)
        for one, other in zip(
            blue.splitlines(), texts["app/green.container"].splitlines(), strict=True
        )
        if one != other
    ]
    assert [one.partition(":ip=")[0] for one, _ in differ] == ["Network=shop-www.network"]


def test_units_run_only_what_a_stock_node_has() -> None:
    texts = rendered(settings(**FULL)).values()
    lines = [line for text in texts for line in re.findall(r"^Exec\w+=-?(\S+)", text, re.MULTILINE)]

    assert lines
    assert {line.rsplit("/", 1)[1] for line in lines} <= PROGRAMS
    assert all(line.startswith(("/usr/bin/", "/usr/sbin/")) for line in lines)


@pytest.mark.parity
def test_both_compilers_make_equal_machines_of_our_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{ORACLE.parent}:{os.environ['PATH']}")
    parts = rendered(settings(**FULL))
    for name, text in parts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    whole = assemble(Fragment(name, parts[name]) for name in ("node.bu", "app.bu")).text

    made = [
        compile_text(whole, files=tmp_path, name="whole.bu", tool=tool).ignition
        for tool in ("python", "real")
    ]

    machines = [read_items(text, name="whole.ign") for text in made]
    assert diff(machines[0], machines[1]) == ()
