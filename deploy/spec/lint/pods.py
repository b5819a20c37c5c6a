"""Pods that restart all their containers when one restarts."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.health import version
from deploy.spec.lint.unit import Unit

_KNOWS_EXIT_POLICY = (5, 6)


def check(units: tuple[Unit, ...], facts: Facts) -> Iterator[Finding]:
    """Find containers whose pod ends, and restarts, together with them."""
    podman = version(facts.podman)
    lasting = {
        unit.name
        for unit in units
        if unit.word("Pod", "ExitPolicy") == "continue"
        and (not podman or podman >= _KNOWS_EXIT_POLICY)
    }
    for unit in units:
        pod = unit.last("Container", "Pod")
        if pod and pod.value not in lasting:
            yield Finding(
                "error", "pod-restarts", pod.file, pod.line, pod.text,
                "the pod ends with its last container and takes the services that are bound to it"
                " along: the restart of one container becomes a restart of others",
                "a .network that the containers share, where each finds the other by its name; or"
                " ExitPolicy=continue in the pod (podman 5.6)",
            )  # fmt: skip
