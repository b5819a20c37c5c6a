"""Take one app's inventory: its certificates, SSH keys and credentials, and their problems."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certs.certificate import Certificate
from certs.chain import read_chain
from certs.errors import CertError
from deploy.access.list import OwnedKey, find_owners
from deploy.app.health import checks
from deploy.app.look import looking
from deploy.app.tls import load_pair
from deploy.console import output
from deploy.errors import DeployError
from deploy.inventory.places import Finding, Place, agree, findings
from deploy.node import session
from deploy.node.clock import difference
from deploy.node.endpoint import Endpoint
from deploy.node.holdings import Holdings, ask_holdings, not_decrypted
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
    trouble: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every place has a certificate; where one is for all, the same one."""
        if self.settings.has_key:
            return agree(self.places)
        return all(place.certificate for place in self.places)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every problem."""
        return (
            *findings(
                self.places,
                warn_days=self.settings.cert_warn_days,
                now=self.now,
                alike=self.settings.has_key,
            ),
            *self._credential_findings(),
            *self._host_key_findings(),
            *self._access_findings(),
            *self._clock_findings(),
        )

    def _credential_findings(self) -> Iterator[Finding]:
        sealed = {one.name for one in self.holdings.credentials}
        for one in self.holdings.credentials:
            if not one.opens:
                yield Finding(not_decrypted(self.settings.app, one.name), is_error=True)
        for source in self.settings.sources:
            if source.credential not in sealed:
                yield Finding(f"credential {source.credential} is not on the node", is_error=True)

    def _host_key_findings(self) -> Iterator[Finding]:
        if self.holdings.host_keys_changing:
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
                again = (
                    "run `fab cert-rotate-ssh` or `fab access-remove` again, which was interrupted"
                )
                if one.user != self.settings.node_user:
                    again = f"remove it from {one.path} by hand"
                yield Finding(f"{text}; {again}")
            if expires and expires < self.now:
                yield Finding(f"the key of {one.person}, {name}, has expired")
            elif expires and expires < soon:
                yield Finding(f"the key of {one.person}, {name}, expires on {expires:%Y-%m-%d}")

    def _clock_findings(self) -> Iterator[Finding]:
        if self.trouble:
            yield Finding(self.trouble, is_error=True)
        if text := difference(self.holdings.clock, self.now, allowed=_SKEW):
            yield Finding(f"{text}; check chronyd there, or the clock here", is_error=True)


def take_inventory(project: Project, *, now: datetime) -> Inventory:
    """Ask the node, read the workstation's files, and see which certificate visitors get.

    Raises:
        DeployError: when the node cannot be reached.
    """
    with looking(project) as remote:
        holdings = ask_holdings(remote, project.settings.app, {})
        trouble = remote.trouble
    return inventory_of(project, holdings, trouble, now=now)


def inventory_of(
    project: Project, holdings: Holdings, trouble: str = "", *, now: datetime
) -> Inventory:
    """Compare what a node holds with the workstation's files and what visitors get.

    Raises:
        DeployError: when the host name has no address.
    """
    settings = project.settings
    if session.is_closed(settings):
        # The page has a time of its own, which has been looked at.
        holdings = holdings.model_copy(update={"clock": int(now.timestamp())})
    places = tuple(_places(project, holdings))
    retired = retired_keys(project)
    access = tuple(find_owners(holdings.access, key_owners((project,)), retired))
    return Inventory(settings, now, places, holdings, access, retired, trouble)


def _places(project: Project, holdings: Holdings) -> Iterator[Place]:
    settings, manifest = project.settings, holdings.manifest
    if settings.tls == "none":
        return
    if settings.has_key:
        yield _place("workstation", lambda: load_pair(project).leaf)
        yield _on_node("node", holdings.release)
    if settings.tls == "app":
        yield _on_node("container", holdings.inside)
    endpoints = session.endpoints(project, manifest.proof if manifest else None)
    if settings.has_key:
        yield from _served(endpoints)
        return
    # The proxy has a certificate for each name.
    for name in settings.all_names:
        named = tuple(replace(one, host=name) for one in endpoints)
        for place in _served(named):
            yield replace(place, where=f"{name} {place.where}")


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
    found, unreached = checks(endpoints, "/")
    for line in unreached:
        output.warn(line)
    for endpoint, one in found.items():
        where = "served" if len(endpoints) == 1 else f"served at {endpoint.address}"
        trouble = "" if one.certificate else f"{endpoint} shows no certificate: {one.error}"
        yield Place(where, one.certificate, trouble)
