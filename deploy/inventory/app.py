"""Take one app's inventory: its certificates, SSH keys and credentials, and their problems."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from certs.certificate import Certificate
from certs.chain import read_chain
from certs.errors import CertError
from deploy.access.list import OwnedKey, find_owners
from deploy.app.health import served_certificate
from deploy.app.tls import load_pair
from deploy.errors import DeployError
from deploy.inventory.places import Finding, Place, findings
from deploy.node import session
from deploy.node.clock import difference
from deploy.node.endpoint import Endpoint
from deploy.node.holdings import Holdings, ask_holdings
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.login_keys import key_owners
from deploy.spec.people import retired_keys

_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What one app and its node had at `now`."""

    settings: Settings
    now: datetime
    places: tuple[Place, ...]
    holdings: Holdings
    access: tuple[OwnedKey, ...]
    retired: frozenset[str]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every problem."""
        return (
            *findings(self.places, warn_days=self.settings.cert_warn_days, now=self.now),
            *self._credential_findings(),
            *self._host_key_findings(),
            *self._access_findings(),
            *self._clock_findings(),
        )

    def _credential_findings(self) -> Iterator[Finding]:
        sealed = {one.name for one in self.holdings.credentials}
        for one in self.holdings.credentials:
            if not one.opens:
                text = f"credential {one.name} cannot be decrypted on this node"
                yield Finding(f"{text}; run `fab creds-seal`", is_error=True)
        for source in self.settings.sources:
            if source.credential not in sealed:
                yield Finding(f"credential {source.credential} is not on the node", is_error=True)

    def _host_key_findings(self) -> Iterator[Finding]:
        if any(key.next for key in self.holdings.host_keys):
            text = "the host keys are being changed"
            yield Finding(f"{text}; finish with `fab host-key-rotate --finish`")

    def _access_findings(self) -> Iterator[Finding]:
        soon = self.now + timedelta(days=self.settings.cert_warn_days)
        for one in self.access:
            if one.key is None:
                yield Finding(one.problem)
                continue
            name, expires = one.fingerprint, one.expires
            if one.key.blob in self.retired:
                text = f"retired key {name} is still authorized"
                again = "run `fab cert-rotate-ssh` or `fab access-remove` again"
                yield Finding(f"{text}; {again}, which was interrupted")
            if expires and expires < self.now:
                yield Finding(f"the key of {one.person}, {name}, has expired")
            elif expires and expires < soon:
                yield Finding(f"the key of {one.person}, {name}, expires on {expires:%Y-%m-%d}")

    def _clock_findings(self) -> Iterator[Finding]:
        if text := difference(self.holdings.clock, self.now, allowed=_SKEW):
            yield Finding(f"{text}; check chronyd there, or the clock here", is_error=True)


def take_inventory(project: Project, *, now: datetime) -> Inventory:
    """Ask the node, read the workstation's files, and see which certificate visitors get.

    Raises:
        DeployError: when the node cannot be reached.
    """
    settings = project.settings
    with session.open_session(project) as remote:
        holdings = ask_holdings(remote, settings.app, settings.node_user, {})
    places = (
        _place("workstation", lambda: load_pair(project).leaf),
        _on_node("node", holdings.release),
        _on_node("container", holdings.inside),
        *_served(session.endpoints(project)),
    )
    retired = retired_keys(project)
    access = tuple(find_owners(holdings.access, key_owners((project,)), retired))
    return Inventory(settings, now, places, holdings, access, retired)


def _place(where: str, read: Callable[[], Certificate]) -> Place:
    try:
        return Place(where, read())
    except (CertError, DeployError) as error:
        return Place(where, None, error.message)


def _on_node(where: str, chain: str) -> Place:
    if not chain:
        return Place(where, None, "no certificate there; is the app deployed and running?")
    return _place(where, lambda: read_chain(chain.encode(), source=where).leaf)


def _served(endpoints: tuple[Endpoint, ...]) -> Iterator[Place]:
    for endpoint in endpoints:
        where = "served" if len(endpoints) == 1 else f"served at {endpoint.address}"
        yield _place(where, partial(served_certificate, endpoint))
