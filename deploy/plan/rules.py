"""What must hold of a deploy's plan before anything of it is carried out."""

from collections.abc import Callable, Mapping
from typing import Literal

from deploy.plan.deployment import Deployment
from deploy.plan.steps import Kind

Effect = Literal[
    "image", "files", "credentials", "units", "daemon-reload", "firewall", "start", "health",
    "visitors", "proof", "record",
]  # fmt: skip

# What each step brings about on the node, in this order.
EFFECTS: Mapping[Kind, tuple[Effect, ...]] = {
    "stage": (),
    "image": ("image",),
    "files": ("files",),
    "seal": ("credentials",),
    "start": ("units", "daemon-reload", "firewall", "start"),
    "check": ("health",),
    "before": (),
    "move": ("visitors",),
    "prove": ("proof",),
    "finish": ("record",),
    "retire": (),
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
    "changed units need a start after the daemon-reload": lambda plan, effects: (
        not (plan.steps and plan.units) or _follows(effects, "daemon-reload", "start")
    ),
    "a new release needs a proof of health after its start": lambda _, effects: (
        "start" not in effects or _follows(effects, "start", "health")
    ),
    "visitors come to a healthy release only": lambda _, effects: (
        "visitors" not in effects or _follows(effects, "health", "visitors")
    ),
    "a release that visitors came to needs a proof from outside": lambda _, effects: (
        "visitors" not in effects or _follows(effects, "visitors", "proof")
    ),
    "a release is written down after its proof": lambda _, effects: (
        "record" not in effects or _follows(effects, "proof", "record")
    ),
    "another image needs to get there before the start": lambda plan, effects: (
        not (plan.steps and plan.image) or _follows(effects, "image", "start")
    ),
    "changed project files need to get there before the start": lambda plan, effects: (
        not (plan.steps and plan.files) or _follows(effects, "files", "start")
    ),
    "each credential that differs is sealed once": lambda plan, _: (
        not plan.steps
        or [step.credential for step in plan.steps if step.kind == "seal"]
        == [change.name for change in plan.credentials]
    ),
}
