"""Types of settings: how each is parsed, and the values it allows."""

import contextlib
import ipaddress
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES_A_DAY = 24 * 60
# Entries of the zoneinfo folder that are not zones.
_NO_ZONES = {"posix", "right", "posixrules", "localtime"}
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOWER = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a type allows, as an error message says it."""

    text: str


@dataclass(frozen=True, slots=True)
class FirewallPort:
    """A port that the firewall opens."""

    number: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class UpdateWindow:
    """When Zincati may restart the machine: days, start as HH:MM, length in minutes."""

    days: tuple[str, ...]
    start: str
    minutes: int


def _text(read: Callable[[str], object]) -> BeforeValidator:
    """Parse text; a value of another type is left to pydantic."""
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _matching(pattern: str) -> BeforeValidator:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return _text(read)


def _number(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or not low <= int(text) <= high:
        raise ValueError
    return int(text)


def _whole(low: int, high: int) -> BeforeValidator:
    return _text(lambda text: _number(text, low, high))


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _each(read: Callable[[str], object], *, at_least: int = 0) -> BeforeValidator:
    def read_all(text: str) -> list[object]:
        found = _words(text)
        if len(found) < at_least:
            raise ValueError
        return [read(word) for word in found]

    return _text(read_all)


def _firewall_port(word: str) -> FirewallPort:
    number, _, protocol = word.partition("/")
    if protocol not in {"", "tcp", "udp"}:
        raise ValueError
    return FirewallPort(_port(number), protocol or "tcp")


def _subject_name(word: str) -> str:
    if "%" not in word:  # an IPv6 zone is local to one machine
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(word))
    if not re.fullmatch(rf"(\*\.)?{_LOWER}(\.{_LOWER})*", word):
        raise ValueError
    return word


def _update_window(text: str) -> UpdateWindow:
    match = re.fullmatch(r"(\S+) +([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", text.strip())
    if not match:
        raise ValueError
    days = tuple(match[1].split(","))
    start, end = _minute(match[2], match[3]), _minute(match[4], match[5])
    if not set(days) <= set(_DAYS) or start == end:
        raise ValueError
    return UpdateWindow(days, f"{match[2]}:{match[3]}", (end - start) % _MINUTES_A_DAY)


def _minute(hour: str, minute: str) -> int:
    if int(hour) > 23 or int(minute) > 59:  # noqa: PLR2004 -- the last hour and minute
        raise ValueError
    return int(hour) * 60 + int(minute)


def _subnet(version: int, longest: int) -> BeforeValidator:
    def read(text: str) -> str:
        if not text:
            return ""
        network = ipaddress.ip_network(text)
        if network.version != version or network.prefixlen > longest:
            raise ValueError
        return str(network)

    return _text(read)


def _time_zone(text: str) -> str:
    # zoneinfo.available_timezones() would read hundreds of files.
    if text.split("/", 1)[0] in _NO_ZONES:
        raise ValueError
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError from error
    return text


# fmt: off
Label = Annotated[str, _matching(r"[a-z][a-z0-9-]{0,22}(?<!-)"),
    Allowed("a lower-case letter, then letters, digits and '-', 23 at most")]
HostName = Annotated[str, _matching(rf"{_LABEL}(\.{_LABEL})*"),
    Allowed("a host name such as web1 or web1.example.org")]
Address = Annotated[str, _matching(r"([A-Za-z0-9][A-Za-z0-9._:%-]*)?"),
    Allowed("a host name, an IP address or a Host of your SSH config")]
User = Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,30}"), Allowed("a user name of the node")]
Port = Annotated[int, _text(_port), Allowed("a port from 1 to 65535")]
OptionalPort = Annotated[int | None, _text(lambda text: None if text == "0" else _port(text)),
    Allowed("a port from 1 to 65535, or nothing for none")]
Words = Annotated[tuple[str, ...], _text(_words), Allowed("words separated by commas")]
CommandWords = Annotated[tuple[str, ...], _text(shlex.split),
    Allowed("a command and its arguments, quoted as in a shell; nothing else is expanded")]
FirewallPorts = Annotated[tuple[FirewallPort, ...], _each(_firewall_port),
    Allowed("ports such as 9100 or 51820/udp, separated by commas")]
SubjectNames = Annotated[tuple[str, ...], _each(_subject_name, at_least=1),
    Allowed("lower-case host names (a leading *. may be) and IP addresses, separated by commas")]
UpdateWindowOf = Annotated[UpdateWindow, _text(_update_window),
    Allowed("days and times such as Sat,Sun 03:00-05:00")]
TimeZone = Annotated[str, _text(_time_zone), Allowed("a time zone such as Europe/Sofia or UTC")]
Image = Annotated[str,
    _matching(r"[a-z0-9][a-z0-9._:/@-]*|(oci|oci-archive|docker-archive):[A-Za-z0-9._:/@~+-]+"),
    Allowed("an image name such as localhost/shop:latest (lower case), "
    "docker-daemon:NAME, oci:FOLDER, oci-archive:FILE or docker-archive:FILE")]
UrlPath = Annotated[str, _matching(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*"),
    Allowed("a path that starts with /")]
DirectoryUrl = Annotated[str, _matching(r"https?://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9._~/%-]*"),
    Allowed("the address of an ACME directory, which begins with https://")]
Size = Annotated[str, _matching(r"[1-9][0-9]{0,9}[KMGT]"), Allowed("a size such as 512M or 2G")]
Percent = Annotated[str, _matching(r"[1-9][0-9]{0,4}%"),
    Allowed("a percentage such as 100% (one core) or 150%")]
Seconds = Annotated[int, _whole(1, 3600), Allowed("whole seconds from 1 to 3600")]
OptionalSeconds = Annotated[int, _whole(0, 3600), Allowed("whole seconds up to 3600, 0 for none")]
Days = Annotated[int, _whole(0, 3650), Allowed("whole days from 0 to 3650")]
Tasks = Annotated[int, _whole(16, 1_000_000), Allowed("a whole number from 16")]
Megabytes = Annotated[int, _whole(0, 1_000_000), Allowed("megabytes, 0 for none")]
Subnet4 = Annotated[str, _subnet(4, 28),
    Allowed("an IPv4 network of 16 addresses or more such as 10.99.0.0/28, or nothing")]
Subnet6 = Annotated[str, _subnet(6, 64),
    Allowed("an IPv6 network of /64 or more such as fd12:3456:789a::/64, or nothing")]
PartitionName = Annotated[str,
    _matching(r"(?!(root|boot|EFI-SYSTEM|BIOS-BOOT)$)([A-Za-z0-9][A-Za-z0-9._-]{0,11})?"),
    Allowed("letters, digits, '.', '_' and '-', 12 at most, not a name of the system's own")]
DevicePath = Annotated[str, _matching(r"/dev/[A-Za-z0-9/_.:+-]+"),
    Allowed("a device such as /dev/disk/by-id/…")]
RootMegabytes = Annotated[int, _whole(8192, 9_999_999), Allowed("megabytes from 8192")]
Releases = Annotated[int, _whole(2, 100), Allowed("a whole number from 2 to 100")]
# fmt: on
