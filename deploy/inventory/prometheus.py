"""Inventories as text for Prometheus, for node_exporter's textfile collector or a push gateway."""

from collections.abc import Iterable, Iterator

from deploy.inventory.app import Inventory

Labels = dict[str, str]
_HELP = {
    "corefab_certificate_expires_seconds": "When the certificate at a place expires, Unix time.",
    "corefab_certificate_agrees": "1 when all places have the same certificate.",
    "corefab_credential_opens": "1 when the node opens the sealed credential.",
    "corefab_credential_age_seconds": "How long ago the credential was sealed.",
    "corefab_access_key_age_seconds": "How long the key has been let in.",
    "corefab_host_key_age_seconds": "How old the SSH host key is.",
    "corefab_findings": "How much is wrong, by severity.",
}


def as_prometheus(inventories: Iterable[Inventory]) -> str:
    """Write all of them, each metric once, with its help and type."""
    samples: dict[str, list[str]] = {name: [] for name in _HELP}
    for one in inventories:
        usual = {"app": one.settings.app, "node": one.settings.node_address}
        for name, labels, value in _samples(one):
            samples[name].append(f"{name}{_written(usual | labels)} {value}")
    lines: list[str] = []
    for name, found in samples.items():
        if found:
            lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge", *found]
    return "\n".join(lines) + "\n"


def _samples(one: Inventory) -> Iterator[tuple[str, Labels, int]]:
    marks = set()
    for row in one.rows:
        marks.add(row.certificate.sha256 if row.certificate else "")
        if row.certificate:
            labels = {"place": row.where, "sha256": row.certificate.sha256}
            expires = int(row.certificate.not_after.timestamp())
            yield "corefab_certificate_expires_seconds", labels, expires
    yield "corefab_certificate_agrees", {}, int(len(marks) == 1)
    for held in one.held.credentials:
        labels = {"credential": held.name, "sealed_with": held.sealed_with}
        yield "corefab_credential_opens", labels, int(held.opens)
        yield "corefab_credential_age_seconds", labels, held.age_seconds
    for key, person, days in one.access:
        labels = {"person": person, "fingerprint": key.fingerprint}
        yield "corefab_access_key_age_seconds", labels, days * 86400
    for host in one.held.host_keys:
        labels = {"type": host.key.split()[0], "next": str(host.next).lower()}
        yield "corefab_host_key_age_seconds", labels, host.age_seconds
    found = one.findings
    errors = sum(finding.is_error for finding in found)
    yield "corefab_findings", {"severity": "error"}, errors
    yield "corefab_findings", {"severity": "warning"}, len(found) - errors


def _written(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
