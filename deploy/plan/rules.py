"""What must hold of a deploy's plan before anything of it is carried out."""

from collections.abc import Callable, Mapping
from typing import Literal

from deploy.plan.deployment import Deployment
from deploy.plan.steps import Kind

Effect = Literal[
    "image", "files", "credentials", "units", "daemon-reload", "firewall", "restart", "health",
    "record",
]  # fmt: skip

# What each step brings about on the node, in this order.
EFFECTS: Mapping[Kind, tuple[Effect, ...]] = {
    "stage": (),
    "image": ("image",),
    "files": ("files",),
    "seal": ("credentials",),
    "switch": ("units", "daemon-reload", "firewall", "restart"),
    "prove": ("health",),
    "finish": ("record",),
}


def check_deployment(plan: Deployment) -> None:
    """Refuse a plan that would leave a change undone or unproven.

    Raises:
        ValueError: naming every rule that is broken.
    """
    effects = [effect for step in plan.steps for effect in EFFECTS[step.kind]]
    broken = [text for text, holds in _RULES.items() if not holds(plan, effects)]
    if broken:
        raise ValueError(f"the plan for {plan.app} is wrong: {'; '.join(broken)}")


def _follows(effects: list[Effect], first: Effect, then: Effect) -> bool:
    """Tell whether the last of one effect comes before the last of another."""
    return first in effects and then in effects[effects.index(first) :]


_RULES: Mapping[str, Callable[[Deployment, list[Effect]], bool]] = {
    "a difference needs steps, and steps a difference": lambda plan, _: (
        bool(plan.reasons) == bool(plan.steps)
    ),
    "changed units need a daemon-reload after them": lambda plan, effects: (
        not (plan.steps and plan.units) or _follows(effects, "units", "daemon-reload")
    ),
    "changed units need a restart after the daemon-reload": lambda plan, effects: (
        not (plan.steps and plan.units) or _follows(effects, "daemon-reload", "restart")
    ),
    "a new release needs a proof of health after its start": lambda _, effects: (
        "restart" not in effects or _follows(effects, "restart", "health")
    ),
    "a release is written down after its proof": lambda _, effects: (
        "record" not in effects or _follows(effects, "health", "record")
    ),
    "another image needs to get there before the restart": lambda plan, effects: (
        not (plan.steps and plan.image) or _follows(effects, "image", "restart")
    ),
    "changed project files need to get there before the restart": lambda plan, effects: (
        not (plan.steps and plan.files) or _follows(effects, "files", "restart")
    ),
    "each credential that differs is sealed once": lambda plan, _: (
        not plan.steps
        or [step.credential for step in plan.steps if step.kind == "seal"]
        == [change.name for change in plan.credentials]
    ),
}
