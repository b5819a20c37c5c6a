"""Health checks that cannot run or do not exist."""

from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit

_KEYS = ("HealthCmd", "HealthStartupCmd")
_FIXED = (5, 8, 2)


def check(unit: Unit, facts: Facts) -> Iterator[Finding]:
    """Find health commands that podman breaks, and a missing one."""
    if unit.kind != "container":
        return
    yield from _quotes(unit, facts)
    yield from _missing(unit)


def version(text: str) -> tuple[int, ...]:
    """Read a version such as 5.8.2-dev; empty for an unknown one."""
    numbers = text.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else ()


def _quotes(unit: Unit, facts: Facts) -> Iterator[Finding]:
    podman = version(facts.podman)
    if podman and podman >= _FIXED:
        return
    for key in _KEYS:
        setting = unit.last("Container", key)
        if setting and '"' in setting.value:
            yield Finding(
                "error" if podman else "warning", "health-quotes", setting.file, setting.line,
                setting.text,
                f"podman before 5.8.2 breaks double quotes in a health command; the node has"
                f" {facts.podman or 'a version that is not known here'}",
                "single quotes, or a script in the image",
            )  # fmt: skip


def _missing(unit: Unit) -> Iterator[Finding]:
    notify = unit.last("Container", "Notify")
    command = unit.word("Container", "HealthCmd", "none")
    if notify and notify.value == "healthy" and command == "none":
        yield Finding(
            "warning", "healthy-unchecked", notify.file, notify.line,
            "Notify=healthy without HealthCmd",
            "unless the image has a HEALTHCHECK of its own, nothing ever says healthy: podman"
            " refuses the container, or the start times out",
            "a HealthCmd= in [Container], or Notify=true",
        )  # fmt: skip
