"""Names in a certificate: host names, wildcards and IP addresses."""

import ipaddress
import re
from collections.abc import Sequence

from cryptography import x509

from certs.errors import Problem, refusal

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_LONGEST = 253  # RFC 1035, in text form without the root's dot


def general_names(names: Sequence[str]) -> tuple[x509.GeneralName, ...]:
    """Type each name as DNS or IP; raise CertError with every name that is neither."""
    found = [problem for name in names if (problem := name_problem(name))]
    if not names:
        found.append(Problem("no name is given", "give at least one host name or IP address"))
    if found:
        raise refusal("names", found)
    return tuple(_general_name(name) for name in dict.fromkeys(map(normal, names)))


def name_problem(name: str) -> Problem | None:
    """Say why a text is not a host name, wildcard or IP address; None if it is one."""
    if address(name) is not None:
        return None
    plain = normal(name)
    if not plain.isascii():
        return Problem(f"{name!r} has letters outside ASCII", _ascii_hint(plain))
    labels = plain.removeprefix("*.").split(".")
    if len(plain) > _LONGEST or not all(_LABEL.match(label) for label in labels):
        return Problem(
            f"{name!r} is no host name and no IP address",
            "write names like www.example.org, *.example.org or 192.0.2.7, "
            "without scheme, port or path",
        )
    if labels[-1].isdigit():
        return Problem(f"{name!r} ends in a number but is no IP address", "correct the address")
    return None


def normal(name: str) -> str:
    """Normalise a name for comparison: lower case, no trailing dot, short IPv6."""
    found = address(name)
    return str(found) if found is not None else name.strip().lower().removesuffix(".")


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address, with or without IPv6 brackets; None if it is not one."""
    try:
        return ipaddress.ip_address(name.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def matches(pattern: str, name: str) -> bool:
    """Tell whether a certificate's name matches a host name (RFC 9525, section 6.3).

    A wildcard stands for exactly one whole label, the first, and never for an address. A
    wildcard asked for is matched by the same wildcard only.
    """
    pattern, name = normal(pattern), normal(name)
    if pattern == name:
        return True
    if not pattern.startswith("*.") or address(name) is not None:
        return False
    first, _, rest = name.partition(".")
    return bool(first) and bool(rest) and rest == pattern[2:]


def _general_name(name: str) -> x509.GeneralName:
    found = address(name)
    return x509.DNSName(name) if found is None else x509.IPAddress(found)


def _ascii_hint(name: str) -> str:
    try:
        return f"write it in its ASCII form: {name.encode('idna').decode('ascii')}"
    except UnicodeError:
        return "write it in its ASCII form, which begins with xn--"
