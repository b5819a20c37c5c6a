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

from deploy.settings.capabilities import CAPABILITIES

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES_A_DAY = 24 * 60
_LONGEST_SPAN = 14 * 86400
# Entries of the zoneinfo folder that are not zones.
_NO_ZONES = {"posix", "right", "posixrules", "localtime"}
# What a shell would interpret: an operator that is a word, or begins or ends one; …
_OPERATOR = re.compile(r"^[;&|<>]|^[0-9]+[<>]|[;&|]$")
_EXPANSION = re.compile(r"(?<!\\)(?:\$[({A-Za-z_]|`)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""")
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


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder below the app's data, and where the container has it."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A folder of the container that is in memory; `size` such as 64m, empty for no limit."""

    target: str
    size: str = ""


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """Where a container serves plain HTTP: a port, HTTP/2 alone with h2c, or a Unix socket."""

    number: int = 0
    h2c: bool = False
    socket: str = ""

    @property
    def folder(self) -> str:
        """The folder of the Unix socket."""
        return self.socket.rpartition("/")[0]

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{'h2c:' * self.h2c}{self.number}"


def _text(read: Callable[[str], object]) -> BeforeValidator:
    """Parse text; a value of another type is left to pydantic."""
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _matching(pattern: str) -> BeforeValidator:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return _text(read)


def _address(text: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9:][A-Za-z0-9._:%-]*)?", text):
        raise ValueError
    # No host name is written like an address, such as 192.0.2.300.
    if ":" in text or re.fullmatch(r"[0-9]+(\.[0-9]+)+", text):
        ipaddress.ip_address(text)
    return text


def _number(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or not low <= int(text) <= high:
        raise ValueError
    return int(text)


def _whole(low: int, high: int) -> BeforeValidator:
    return _text(lambda text: _number(text, low, high))


def _span(text: str) -> int:
    """Read a time span as seconds."""
    match = re.fullmatch(r"([0-9]{1,7})(s|min|h|d)", "0s" if text == "0" else text)
    if not match:
        raise ValueError
    seconds = int(match[1]) * {"s": 1, "min": 60, "h": 3600, "d": 86400}[match[2]]
    if seconds > _LONGEST_SPAN:
        raise ValueError
    return seconds


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


def _volume(word: str) -> Volume:
    name, _, target = word.partition(":")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name):
        raise ValueError
    return Volume(name, _folder(target))


def _tmpfs(word: str) -> Tmpfs:
    target, colon, size = word.partition(":")
    if colon and not re.fullmatch(r"[1-9][0-9]{0,9}[kKmMgG]", size):
        raise ValueError
    return Tmpfs(_folder(target), size.lower())


def _mail(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}", word):
        raise ValueError
    return word


def _folder(path: str) -> str:
    """Check the path of a folder in the container: absolute, and written in its shortest form."""
    if not re.fullmatch(r"(/(?!\.\.?(/|$))[A-Za-z0-9._@+-]+)+", path):
        raise ValueError
    return path


def _container_port(text: str) -> ContainerPort:
    kind, _, rest = text.rpartition(":")
    if kind == "unix":
        # In the proxy's container the path is longer by the app's name; 107 bytes are the limit.
        if not re.fullmatch(r"/.{1,66}/[A-Za-z0-9._-]{1,32}", rest):
            raise ValueError
        return ContainerPort(socket=_folder(rest))
    if kind not in {"", "h2c"}:
        raise ValueError
    return ContainerPort(_port(rest), h2c=kind == "h2c")


def _capability(word: str) -> str:
    name = word.upper().removeprefix("CAP_")
    if name not in CAPABILITIES:
        raise ValueError
    return name


def _subject_name(word: str) -> str:
    if "%" not in word:  # an IPv6 zone is local to one machine
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(word))
    if not re.fullmatch(rf"(\*\.)?{_LOWER}(\.{_LOWER})*", word) or _ends_in_number(word):
        raise ValueError
    return word


def _ends_in_number(name: str) -> bool:
    """Check whether the last part of a name is a number, which makes it an address for clients."""
    return name.rpartition(".")[2].isdigit()


def _command(text: str) -> list[str]:
    """Split a command into words; refuse what only a shell would understand."""
    bare = _QUOTED.sub("x", text).split()
    # A shell would expand these in double quotes too.
    expanded = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0][0] == '"' else "x", text)
    if (
        any(map(_OPERATOR.search, bare))
        or _EXPANSION.search(expanded)
        or _ASSIGNMENT.match("".join(bare[:1]))
    ):
        raise ValueError
    return shlex.split(text)


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


def _otlp_signal(word: str) -> str:
    if word not in {"logs", "metrics", "traces"}:
        raise ValueError
    return word


def _otlp_endpoint(text: str) -> str:
    local = r"http://127\.0\.0\.1(:[0-9]{1,5})?"
    remote = rf"https://({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(:[0-9]{{1,5}})?"
    match = re.fullmatch(rf"({local}|{remote})((/[A-Za-z0-9._~@-]+)*)/?|", text)
    if not match or re.search(r"/v1/(logs|metrics|traces)/?$|/\.\.?(/|$)", text):
        raise ValueError
    return text.removesuffix("/")


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
HostName = Annotated[str, _matching(rf"{_LABEL}(\.{_LABEL})*"), _text(_address),
    Allowed("a host name such as web1 or web1.example.org")]
Address = Annotated[str, _text(_address),
    Allowed("a host name, an IP address or a Host of your SSH config, without a port")]
User = Annotated[str, _matching(r"[a-z_][a-z0-9_-]{0,30}"), Allowed("a user name of the node")]
Port = Annotated[int, _text(_port), Allowed("a port from 1 to 65535")]
UpstreamPort = Annotated[ContainerPort, _text(_container_port),
    Allowed("a port from 1 to 65535 such as 8080, h2c:PORT such as h2c:8080, or the path of a Unix "
    "socket in a folder of its own, such as unix:/run/app/http.sock")]
OptionalPort = Annotated[int | None, _text(lambda text: None if text == "0" else _port(text)),
    Allowed("a port from 1 to 65535, or nothing for none")]
Words = Annotated[tuple[str, ...], _text(_words), Allowed("words separated by commas")]
CommandWords = Annotated[tuple[str, ...], _text(_command),
    Allowed("a command and its arguments, quoted as in a shell, but no shell runs it: "
    "for &&, |, ;, >, $NAME, $(…) or NAME=value before it write sh -c '…'")]
FirewallPorts = Annotated[tuple[FirewallPort, ...], _each(_firewall_port),
    Allowed("ports such as 9100 or 51820/udp, separated by commas")]
Volumes = Annotated[tuple[Volume, ...], _each(_volume),
    Allowed("NAME:/PATH, separated by commas: a lower-case name, and a folder of the container "
    "without '..' and without a / at its end")]
TmpfsFolders = Annotated[tuple[Tmpfs, ...], _each(_tmpfs),
    Allowed("folders of the container, each with a size or without, such as /tmp:64m, /run")]
Capabilities = Annotated[tuple[str, ...], _each(_capability),
    Allowed("names of capabilities such as NET_BIND_SERVICE, separated by commas")]
SubjectNames = Annotated[tuple[str, ...], _each(_subject_name, at_least=1),
    Allowed("lower-case host names (a leading *. may be) and IP addresses, separated by commas")]
HostNames = Annotated[tuple[str, ...], _each(_subject_name),
    Allowed("lower-case host names, separated by commas")]
Networks = Annotated[tuple[str, ...], _each(lambda word: str(ipaddress.ip_network(word))),
    Allowed("addresses and networks such as 192.0.2.0/24, separated by commas")]
Mail = Annotated[str, _matching(r"([^\s@{}\"`\\]+@[^\s@{}\"`\\]+)?"), Allowed("a mail address")]
Mails = Annotated[tuple[str, ...], _each(_mail),
    Allowed("mail addresses separated by commas")]
UpdateWindowOf = Annotated[UpdateWindow, _text(_update_window),
    Allowed("days and times such as Sat,Sun 03:00-05:00")]
TimeZone = Annotated[str, _text(_time_zone), Allowed("a time zone such as Europe/Sofia or UTC")]
Image = Annotated[str,
    _matching(r"[a-z0-9][a-z0-9._:/@-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?"
    r"|(oci|oci-archive|docker-archive|dir):[^\x00-\x1f\x7f]+"),
    Allowed("an image name such as localhost/shop:latest (lower case), "
    "docker-daemon:NAME, oci:FOLDER, oci-archive:FILE or docker-archive:FILE")]
RegistryTag = Annotated[str,
    _matching(rf"(localhost|{_LABEL}(\.{_LABEL})+|{_LABEL}(\.{_LABEL})*:[0-9]{{1,5}}|localhost:[0-9]{{1,5}})"
    r"(/[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*)+(:(?!sha256-)[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?|"),
    Allowed("a tag of a repository with its registry, such as registry.example.org/shop/www:live")]
PasswordHash = Annotated[str, _matching(r"\$(y|gy|6|5|2[abxy])\$[A-Za-z0-9./$=,]{20,200}|"),
    Allowed("the hash of a password as `mkpasswd` prints it, such as $y$j9T$…")]
BcryptHash = Annotated[str, _matching(r"\$2[aby]\$(0[4-9]|1[0-2])\$[A-Za-z0-9./]{53}|"),
    Allowed("the bcrypt hash of a password as `htpasswd -nB` prints it, without the name, such as "
    "$2y$05$…; of a cost of 12 at most")]
Calendar = Annotated[str, _matching(r"[A-Za-z0-9*:,./~ -]{1,100}"),
    Allowed("times as systemd.time has them, such as hourly, daily or *:0/15")]
Span = Annotated[int, _text(_span),
    Allowed("0, or a number with s, min, h or d, such as 10min, two weeks at most")]
UrlPath = Annotated[str, _matching(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*"),
    Allowed("a path that starts with /")]
ScrapePath = Annotated[str, _matching(r"((/\.well-known)?(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+)?"),
    Allowed("a path such as /metrics, without a / at its end")]
OtlpSignals = Annotated[tuple[str, ...], _each(_otlp_signal, at_least=1),
    Allowed("logs, metrics and traces, separated by commas")]
OtlpEndpoint = Annotated[str, _text(_otlp_endpoint),
    Allowed("the https address of an endpoint, without /v1/logs at its end and without a password "
    "in it; http with 127.0.0.1 alone, such as http://127.0.0.1:4318")]
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
