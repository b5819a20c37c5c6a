"""Name constraints: the names an authority may issue certificates for."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias

from cryptography import x509

from certs.certificate import extension
from certs.errors import Problem, refusal
from certs.names import name_problem, normal

Network: TypeAlias = IPv4Network | IPv6Network

# A reserved domain (RFC 2606) that nothing is in. OpenSSL takes an empty name to match nothing, so
# kinds of names are not excluded but limited to this one. Directory names are left to the extended
# key usage: Go and cryptography refuse an authority whose constraints mention them.
_NO_DOMAIN = "invalid"
_EVERY_ADDRESS: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def name_constraints(permitted: Sequence[str]) -> x509.NameConstraints:
    """Make the constraint from domains, addresses and networks; raise CertError with every other.

    RFC 5280 leaves a kind of name that is not mentioned unconstrained, so a list of domains alone
    also excludes every address, and a list of networks alone every domain; each excludes every
    e-mail address and URI.
    """
    problems = [problem for entry in permitted if (problem := _entry_problem(entry))]
    if problems:
        raise refusal("permitted names", problems)
    networks = [found for entry in permitted if (found := _network(entry))]
    domains = [normal(entry) for entry in permitted if _network(entry) is None]
    return x509.NameConstraints(
        permitted_subtrees=[
            *map(x509.DNSName, domains),
            *map(x509.IPAddress, networks),
            x509.RFC822Name(_NO_DOMAIN),
            x509.UniformResourceIdentifier(_NO_DOMAIN),
        ],
        excluded_subtrees=_excluded(domains, networks) or None,
    )


def forbidden(issuer: x509.Certificate, names: Iterable[x509.GeneralName]) -> tuple[str, ...]:
    """List the names that an issuer's constraints forbid."""
    found = extension(issuer, x509.NameConstraints)
    if found is None:
        return ()
    return tuple(str(name.value) for name in names if not _allowed(found, name))


def _entry_problem(entry: str) -> Problem | None:
    if _network(entry) is not None:
        return None
    if entry.strip().startswith("*"):
        return Problem(
            f"{entry!r} is a wildcard", "name the domain itself: what is below it is meant too"
        )
    return name_problem(entry)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry.strip())
    except ValueError:
        return None


def _excluded(domains: Sequence[str], networks: Sequence[Network]) -> list[x509.GeneralName]:
    excluded: list[x509.GeneralName] = [
        x509.IPAddress(every)
        for every in _EVERY_ADDRESS
        if not any(network.version == every.version for network in networks)
    ]
    return excluded if domains else [*excluded, x509.DNSName("")]


def _allowed(constraints: x509.NameConstraints, name: x509.GeneralName) -> bool:
    if any(_within(name, subtree) for subtree in constraints.excluded_subtrees or ()):
        return False
    alike = [
        subtree
        for subtree in constraints.permitted_subtrees or ()
        if isinstance(subtree, type(name))
    ]
    return not alike or any(_within(name, subtree) for subtree in alike)


def _within(name: x509.GeneralName, subtree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(subtree, x509.DNSName):
        host, domain = normal(name.value), normal(subtree.value)
        return not domain or host == domain or host.endswith(f".{domain.removeprefix('.')}")
    if isinstance(name, x509.IPAddress) and isinstance(subtree, x509.IPAddress):
        address, network = ip_network(name.value), ip_network(subtree.value)
        return address.version == network.version and network.overlaps(address)
    return False
