"""How often each credential of an app has been sealed on its node."""

from deploy.plan.state import NodeState
from deploy.plan.steps import Wanted, to_seal


def generation(name: str, state: NodeState) -> int:
    """Count a credential's sealings; one that an older release does not count was sealed once."""
    counted = state.manifest.generations.get(name) if state.manifest else None
    there = state.credentials.get(name, "absent") != "absent"
    return counted if counted is not None else int(there)


def generations(wanted: Wanted, state: NodeState) -> dict[str, int]:
    """Count each credential's sealings as the next release has them."""
    anew = to_seal(wanted, state)
    return {name: generation(name, state) + (name in anew) for name in wanted.credentials}
