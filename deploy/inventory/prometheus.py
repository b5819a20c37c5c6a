"""Write inventories in Prometheus' text format, for node_exporter or a push gateway."""

from collections.abc import Iterable, Iterator

from deploy.inventory.app import Inventory
from deploy.metrics.plan.exposition import Family, Sample, written

Labels = dict[str, str]
_HELP = {
    "corefab_certificate_expires_seconds": "When the certificate at a place expires, Unix time.",
    "corefab_certificate_agrees": "1 when all places have the same certificate.",
    "corefab_credential_opens": "1 when the node can decrypt the sealed credential.",
    "corefab_credential_age_seconds": "How long ago the credential was sealed.",
    "corefab_access_key_age_seconds": "How long the SSH key has been authorized.",
    "corefab_host_key_age_seconds": "How old the SSH host key is.",
    "corefab_findings": "Number of problems, by severity.",
}


def as_prometheus(inventories: Iterable[Inventory]) -> str:
    """Write each metric once, with its help, its type and the samples of every app."""
    families = {name: Family(name, "gauge", text) for name, text in _HELP.items()}
    for one in inventories:
        app = {"app": one.settings.app, "node": one.settings.node_address}
        for name, labels, value in _samples(one):
            families[name].samples.append(Sample(name, app | labels, str(value)))
    return written(families.values())


def _samples(one: Inventory) -> Iterator[tuple[str, Labels, int]]:
    for place in one.places:
        if place.certificate:
            labels = {"place": place.where, "sha256": place.certificate.sha256}
            expires = int(place.certificate.not_after.timestamp())
            yield "corefab_certificate_expires_seconds", labels, expires
    yield "corefab_certificate_agrees", {}, int(one.agrees)
    for held in one.holdings.credentials:
        labels = {"credential": held.name, "sealed_with": held.sealed_with}
        yield "corefab_credential_opens", labels, int(held.opens)
        yield "corefab_credential_age_seconds", labels, held.age_seconds
    # A key may be in several files.
    ages: dict[tuple[str, str, str], int] = {}
    for access in one.access:
        key = (access.user, access.person, access.fingerprint)
        ages[key] = max(access.age_seconds, ages.get(key, 0))
    for (user, person, fingerprint), age in ages.items():
        labels = {"user": user, "person": person, "fingerprint": fingerprint}
        yield "corefab_access_key_age_seconds", labels, age
    for host in one.holdings.host_keys:
        labels = {"type": host.key.split()[0], "next": str(host.next).lower()}
        yield "corefab_host_key_age_seconds", labels, host.age_seconds
    found = one.findings
    errors = sum(finding.is_error for finding in found)
    yield "corefab_findings", {"severity": "error"}, errors
    yield "corefab_findings", {"severity": "warning"}, len(found) - errors
