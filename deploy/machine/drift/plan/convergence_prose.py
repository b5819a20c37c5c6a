"""A convergence in words."""

from collections.abc import Iterator

from deploy.machine.drift.plan.convergence import Convergence


def lines(plan: Convergence) -> Iterator[str]:
    """Give all of a convergence: differences, acts, and what other means put right."""
    if not plan and not plan.left:
        yield f"nothing to do: {plan.node} is as its spec says"
        return
    yield f"{plan.node} (spec {plan.was[:12] or 'unknown'} -> {plan.becomes[:12]}):"
    for one in plan.differences:
        yield f"  {one.what} {one.subject}: {one.found} -> {one.expected}"
    if plan.acts:
        yield "acts, put back unless a new login proves them:"
    yield from (f"  {number}. {act}" for number, act in enumerate(plan.acts, 1))
    yield from (f"  {path} counts from the next boot on" for path in plan.at_the_next_boot)
    for one in plan.left:
        what = f"{one.what} {one.subject}: {one.found}, not {one.expected}"
        yield f"not by this command: {what} (by: {one.remedy})"
