"""Every type of setting accepts what it says it allows, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import read_settings
from deploy.settings.model import allowed
from deploy.settings.types import ContainerPort, FirewallPort, Tmpfs, UpdateWindow, Volume

LONG = "x" * 64

ACCEPTED: list[tuple[str, str, object]] = [
    ("PROJECT", "a", "a"),
    ("PROJECT", "shop-2", "shop-2"),
    ("PROJECT", "s" * 23, "s" * 23),
    ("NODE_ADDRESS", "web1.example.org", "web1.example.org"),
    ("NODE_ADDRESS", "2001:db8::7", "2001:db8::7"),
    ("NODE_ADDRESS", "fe80::7%eth0", "fe80::7%eth0"),
    ("NODE_ADDRESS", "my_alias", "my_alias"),
    ("PUBLIC_ADDRESS", "::1", "::1"),
    ("PUBLIC_ADDRESS", "fd00::7", "fd00::7"),
    ("NODE_PORT", "2222", 2222),
    ("NODE_USER", "core", "core"),
    ("NODE_USER", "_svc-1", "_svc-1"),
    ("NODE_HOSTNAME", "web1.example.org", "web1.example.org"),
    ("NODE_HOSTNAME", "x" * 63, "x" * 63),
    ("IDENTITY_FILE", "~/.ssh/id_ed25519", Path("~/.ssh/id_ed25519")),
    ("IMAGE", "localhost/shop:latest", "localhost/shop:latest"),
    ("IMAGE", "localhost/shop:v1.2-RC1", "localhost/shop:v1.2-RC1"),
    ("IMAGE", '"oci:build/my image:v1"', "oci:build/my image:v1"),
    ("IMAGE", "'docker-archive:/Bücher/a b.tar'", "docker-archive:/Bücher/a b.tar"),
    ("IMAGE", "example.org:5000/a/b@sha256:00ff", "example.org:5000/a/b@sha256:00ff"),
    ("BEFORE_SWITCH", "migrate --to 3", ("migrate", "--to", "3")),
    ("BEFORE_SWITCH", "sh -c 'a && b | c >d'", ("sh", "-c", "a && b | c >d")),
    ("BEFORE_SWITCH", 'say "a; b" \\&\\&', ("say", "a; b", "&&")),
    ("BEFORE_SWITCH", """say "it's" '$x' $5""", ("say", "it's", "$x", "$5")),
    ("BEFORE_SWITCH", "get http://x/?a=1&b=2 --k=v", ("get", "http://x/?a=1&b=2", "--k=v")),
    ("VOLUMES", "uploads:/app/uploads", (Volume("uploads", "/app/uploads"),)),
    ("VOLUMES", "a.b-c_1:/x, d:/.y/z@1+", (Volume("a.b-c_1", "/x"), Volume("d", "/.y/z@1+"))),
    ("CONTAINER_TMPFS", "/cache:64m, /run", (Tmpfs("/cache", "64m"), Tmpfs("/run"))),
    ("CONTAINER_TMPFS", "/c:2G", (Tmpfs("/c", "2g"),)),
    ("CONTAINER_CAPABILITIES", "NET_BIND_SERVICE cap_chown", ("NET_BIND_SERVICE", "CHOWN")),
    ("CONTAINER_COMMAND", "serve --port '80 81'", ("serve", "--port", "80 81")),
    ("READ_ONLY", "false", "false"),
    ("CONTAINER_PORT", "8080", ContainerPort(8080)),
    ("PUBLIC_ADDRESS", "192.0.2.7", "192.0.2.7"),
    ("NODE_ADDRESS", "web.7", "web.7"),
    ("PROJECT_FILES", "web files", Path("web files")),
    ("HTTPS_PORT", "1", 1),
    ("HTTPS_PORT", "65535", 65535),
    ("HTTP_PORT", "80", 80),
    ("HTTP_PORT", "0", None),
    ("CONTAINER_USER", "image", "image"),
    ("NOTIFY", "true", "true"),
    ("HEALTH_PATH", "/health?deep=1&x=(y)", "/health?deep=1&x=(y)"),
    ("HEALTH_TIMEOUT_SECONDS", "3600", 3600),
    ("STOP_SECONDS", "1", 1),
    ("MEMORY_LIMIT", "2G", "2G"),
    ("CPU_LIMIT", "150%", "150%"),
    ("TASKS_LIMIT", "16", 16),
    ("KEEP_RELEASES", "2", 2),
    ("SSH_KEYS", "agent, keys/*.pub", ("agent", "keys/*.pub")),
    ("SSH_KEYS", "agent,", ("agent",)),
    ("FIREWALL_PORTS", "9100", (FirewallPort(9100, "tcp"),)),
    ("FIREWALL_PORTS", "53/udp 53/tcp", (FirewallPort(53, "udp"), FirewallPort(53, "tcp"))),
    ("UPDATE_STRATEGY", "off", "off"),
    ("UPDATE_WINDOW", "Sat,Sun 03:00-05:00", UpdateWindow(("Sat", "Sun"), "03:00", 120)),
    ("UPDATE_WINDOW", "Fri 23:30-01:15", UpdateWindow(("Fri",), "23:30", 105)),
    ("UPDATE_WINDOW", "Mon 00:00-23:59", UpdateWindow(("Mon",), "00:00", 1439)),
    ("TIME_ZONE", "UTC", "UTC"),
    ("TIME_ZONE", "Europe/Sofia", "Europe/Sofia"),
    ("JOURNAL_LIMIT", "500M", "500M"),
    ("SWAP_MEGABYTES", "0", 0),
    ("CERT_NAMES", "example.org *.example.org", ("example.org", "*.example.org")),
    ("CERT_NAMES", "192.0.2.7, 2001:0DB8::0:7", ("192.0.2.7", "2001:db8::7")),
    ("CERT_WARN_DAYS", "0", 0),
    ("SMTP_HOST", "smtp.example.org", "smtp.example.org"),
    ("SMTP_PORT", "25", 25),
    ("SMTP_USER", "Shop Owner <shop@example.org>", "Shop Owner <shop@example.org>"),
    ("PULL_EVERY", "Mon..Fri *-*-* 03:00/15", "Mon..Fri *-*-* 03:00/15"),
    ("PULL_SPREAD", "10min", 600),
    ("PULL_DELAY", "2h", 7200),
    ("PULL_DELAY", "0", 0),
    ("PULL_DELAY", "14d", 1_209_600),
]

REFUSED: list[tuple[str, str]] = [
    *(("PULL_DELAY", one) for one in ("1", "h", "2 h", "-1h", "15d", "1w", "1h30min")),
    *(("PULL_EVERY", one) for one in ("%h", "@DAILY@", "hourly;daily")),
    ("PULL_SPREAD", "soon"),
    ("PROJECT", "Shop"),
    ("PROJECT", "1shop"),
    ("PROJECT", "shop-"),
    ("PROJECT", "shöp"),
    ("PROJECT", "s" * 24),
    ("PROJECT", "../etc"),
    ("NODE_ADDRESS", "-oProxyCommand=touch"),
    ("NODE_ADDRESS", "user@host"),
    ("NODE_ADDRESS", "web1:2222"),
    ("PUBLIC_ADDRESS", "shop.example.org:8443"),
    ("PUBLIC_ADDRESS", "192.0.2.7:443"),
    ("PUBLIC_ADDRESS", "[2001:db8::7]:443"),
    ("PUBLIC_ADDRESS", "https://shop.example.org"),
    ("SMTP_HOST", "smtp.example.org:587"),
    ("NODE_ADDRESS", "two words"),
    ("NODE_PORT", "0"),
    ("NODE_PORT", "ssh"),
    ("NODE_USER", "Core"),
    ("NODE_USER", "u" * 32),
    ("NODE_HOSTNAME", "-web"),
    ("NODE_HOSTNAME", LONG),
    ("NODE_HOSTNAME", "a..b"),
    ("IMAGE", "Localhost/Shop"),
    ("IMAGE", "--help"),
    ("IMAGE", "shop;reboot"),
    *(
        ("BEFORE_SWITCH", command)
        for command in (
            *("a && b", "a || b", "a; b", "a ; b", "a | b", "a > f", "a >f", "a 2>&1", "a < f"),
            *("a &", "a $(b)", "a `b`", "A=1 b", 'a "b', "a $HOME", 'a "${B}"', 'a "`b`"'),
        )
    ),
    *(
        ("VOLUMES", volume)
        for volume in (
            *("uploads", "/app", "uploads:app", "a:/", "a:/x/", "a://x", "a:/x/..", "a:/../x"),
            *("a:/./x", "../a:/x", "A:/x", ".a:/x", "a/b:/x", "a:/x:ro", "a:/$x", "a:/%x", ":/x"),
        )
    ),
    *(("CONTAINER_TMPFS", one) for one in ("c", "/", "/c:", "/c:64", "/c:0m", "/a/../b")),
    *(("CONTAINER_CAPABILITIES", one) for one in ("ALL", "NET_BIND", "CAP_CAP_CHOWN")),
    *(
        ("CONTAINER_PORT", port)
        for port in (
            *("0", "65536", "h2c", "h2c:", "h2:80", "http:80", "80:h2c", "unix:", "unix:80"),
            *("unix:run/a", "unix:/a", "unix:/run/", "unix:/run/../a", "unix:/a//b", "unix:/a/b$"),
            *("unix:/a/" + "b" * 33, "unix:/" + "a" * 67 + "/b", "unix:/a/b:80"),
        )
    ),
    ("CONTAINER_COMMAND", "serve && serve"),
    ("READ_ONLY", "no"),
    ("PUBLIC_ADDRESS", "192.0.2.300"),
    ("NODE_ADDRESS", "192.0.2"),
    ("NODE_HOSTNAME", "192.0.2.300"),
    ("CERT_NAMES", "192.0.2.300"),
    ("CERT_NAMES", "www.example.7"),
    ("HTTPS_PORT", "65536"),
    ("HTTPS_PORT", "-1"),
    ("HTTPS_PORT", "4 4 3"),
    ("HTTPS_PORT", "443.0"),
    ("HTTPS_PORT", "٤٤٣"),
    ("HTTP_PORT", "http"),
    ("CONTAINER_USER", "root"),
    ("NOTIFY", "yes"),
    ("HEALTH_PATH", "health"),
    ("HEALTH_PATH", "/a b"),
    ("HEALTH_PATH", "/a\\n"),
    ("HEALTH_TIMEOUT_SECONDS", "0"),
    ("HEALTH_TIMEOUT_SECONDS", "3601"),
    ("STOP_SECONDS", "1.5"),
    ("MEMORY_LIMIT", "512"),
    ("MEMORY_LIMIT", "0M"),
    ("MEMORY_LIMIT", "2g"),
    ("CPU_LIMIT", "100"),
    ("TASKS_LIMIT", "15"),
    ("KEEP_RELEASES", "1"),
    ("KEEP_RELEASES", "101"),
    ("FIREWALL_PORTS", "9100/sctp"),
    ("FIREWALL_PORTS", "80-90"),
    ("FIREWALL_PORTS", "443, 70000"),
    ("UPDATE_STRATEGY", "never"),
    ("UPDATE_WINDOW", "Sat 03:00"),
    ("UPDATE_WINDOW", "Sat 03:00-03:00"),
    ("UPDATE_WINDOW", "Sat 24:00-03:00"),
    ("UPDATE_WINDOW", "Saturday 03:00-05:00"),
    ("UPDATE_WINDOW", "Sat ٠٣:00-05:00"),
    ("TIME_ZONE", "Europe/Sofa"),
    ("TIME_ZONE", "Europe"),
    ("TIME_ZONE", "posix/Europe/Sofia"),
    ("TIME_ZONE", "../../etc/passwd"),
    ("JOURNAL_LIMIT", "much"),
    ("SWAP_MEGABYTES", "2G"),
    ("CERT_NAMES", ","),
    ("CERT_NAMES", "Example.org"),
    ("CERT_NAMES", "a.*.example.org"),
    ("CERT_NAMES", "example.org, fe80::7%eth0"),
    ("CERT_NAMES", "https://example.org"),
    ("CERT_WARN_DAYS", "-1"),
    ("SMTP_HOST", "mail to me"),
    ("SMTP_PORT", "99999"),
]


@pytest.mark.parametrize(("key", "text", "value"), ACCEPTED)
def test_a_setting_accepts_what_it_allows(
    write: Callable[..., Path], key: str, text: str, value: object
) -> None:
    settings = read_settings(write(**{key: text}))

    assert getattr(settings, key.lower()) == value


@pytest.mark.parametrize(("key", "text"), REFUSED)
def test_a_setting_refuses_anything_else_and_says_what_it_allows(
    complaint: Callable[..., str], key: str, text: str
) -> None:
    message = complaint(**{key: text})

    assert f"{key} is " in message
    assert f"allowed: {allowed(key)}" in message
    assert message.startswith("1 problem in the settings:")


def test_every_setting_with_its_own_type_has_accepted_and_refused_examples() -> None:
    free = {"IDENTITY_FILE", "PROJECT_FILES", "SMTP_USER", "SSH_KEYS"}

    assert {key for key, *_ in ACCEPTED} - {key for key, _ in REFUSED} == free
