"""All that is known of one app's certificates, keys and credentials, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from certs.chain import read_chain
from certs.errors import CertError
from deploy.app.health import served_certificate
from deploy.app.tls import load_pair
from deploy.errors import DeployError
from deploy.inventory.places import Finding, Row, findings
from deploy.node import session
from deploy.node.clock import difference
from deploy.node.endpoint import Endpoint
from deploy.node.holdings import Holdings, ask_holdings
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.login_keys import owners
from deploy.spec.people import AccessKey, read_key, retired

_DAY_SECONDS = 86400
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Inventory:
    """One app on its node, looked at `now`."""

    settings: Settings
    now: datetime
    rows: tuple[Row, ...]
    held: Holdings
    names: dict[str, str]
    retired: frozenset[str]

    @property
    def access(self) -> Iterator[tuple[AccessKey, str, int]]:
        """Each key that is let in, whose it is, and its age in days."""
        for one in self.held.access:
            if key := read_key(one.line):
                yield key, self.names.get(key.blob, "?"), one.age_seconds // _DAY_SECONDS

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong."""
        return (
            *findings(self.rows, warn_days=self.settings.cert_warn_days, now=self.now),
            *self._credential_findings(),
            *self._key_findings(),
            *self._clock_findings(),
        )

    def _credential_findings(self) -> Iterator[Finding]:
        there = {one.name for one in self.held.credentials}
        for one in self.held.credentials:
            if not one.opens:
                text = f"credential {one.name} does not open on this node"
                yield Finding(f"{text}; `fab creds-seal` seals it anew", is_error=True)
        for source in self.settings.sources:
            if source.credential not in there:
                yield Finding(f"credential {source.credential} is not on the node", is_error=True)

    def _key_findings(self) -> Iterator[Finding]:
        if any(key.next for key in self.held.host_keys):
            text = "the host keys are being changed"
            yield Finding(f"{text}; `fab host-key-rotate --finish` ends that")
        soon = self.now + timedelta(days=self.settings.cert_warn_days)
        for key, person, _ in self.access:
            if key.blob in self.retired:
                text = f"{key.fingerprint} is retired and still let in"
                yield Finding(f"{text}; `fab cert-rotate-ssh` or `fab access-remove` was cut off")
            if key.expires and key.expires < self.now:
                yield Finding(f"the key of {person}, {key.fingerprint}, has expired")
            elif key.expires and key.expires < soon:
                text = f"the key of {person}, {key.fingerprint}"
                yield Finding(f"{text}, expires on {key.expires:%Y-%m-%d}")

    def _clock_findings(self) -> Iterator[Finding]:
        if text := difference(self.held.clock, self.now, allowed=_SKEW):
            yield Finding(f"{text}; see to chronyd there, or to the clock here", is_error=True)


def take_inventory(project: Project, *, now: datetime) -> Inventory:
    """Look at the workstation, the node, the container and each address.

    Raises:
        DeployError: when the node cannot be reached.
    """
    settings = project.settings
    with session.open_session(project) as remote:
        held = ask_holdings(remote, settings.app, settings.node_user, {})
    rows = (
        _workstation(project),
        _read("node", held.release),
        _read("container", held.inside),
        *_served(session.endpoints(project)),
    )
    names = owners(settings.ssh_keys, folder=project.folder)
    return Inventory(settings, now, rows, held, names, retired(project.folder))


def _workstation(project: Project) -> Row:
    try:
        return Row("workstation", load_pair(project).leaf)
    except CertError as error:
        return Row("workstation", None, error.message)


def _read(where: str, chain: str) -> Row:
    if not chain:
        return Row(where, None, "no certificate there; is the app deployed and running?")
    try:
        return Row(where, read_chain(chain.encode(), source=where).leaf)
    except CertError as error:
        return Row(where, None, error.message)


def _served(endpoints: tuple[Endpoint, ...]) -> Iterator[Row]:
    for endpoint in endpoints:
        where = "served" if len(endpoints) == 1 else f"served at {endpoint.address}"
        try:
            yield Row(where, served_certificate(endpoint))
        except DeployError as error:
            yield Row(where, None, error.message)
