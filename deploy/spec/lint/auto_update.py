"""Containers that podman itself updates from a registry (AutoUpdate=registry)."""

import re
from collections.abc import Iterator

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.timeouts import start_limit
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import Setting, words

_LABEL = "io.containers.autoupdate"
# A whole name, or a Quadlet .image that has it.
_QUALIFIED = re.compile(r"[^/@]*[.:][^/@]*/[^@]+|localhost/[^@]+|[^/@]+\.image")
_PROVEN = frozenset({"healthy", "true"})
_PULL_APP = "an app of its own that follows the tag: PULL in its .env"


def check(unit: Unit, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001 -- as every check
    """Find what makes an update by podman itself dangerous, and say what a bad image costs."""
    updates = _updates(unit)
    if updates is None:
        return
    yield from _unproven(unit, updates)
    yield from _unreachable(unit)
    yield from _shared(unit)
    yield from _kept(unit)
    limit = start_limit(unit)
    yield Finding(
        "warning", "update-cost", updates.file, updates.line, updates.text,
        f"podman keeps no memory of an image that failed: it is down for up to {limit:g} s"
        " (TimeoutStartSec) at each run of the timer, and fetched again each time",
        f"`# lint: allow update-cost` for a container that may be down; else {_PULL_APP}",
    )  # fmt: skip


def _updates(unit: Unit) -> Setting | None:
    """Find the setting by which podman updates the container from a registry."""
    if unit.kind != "container":
        return None
    own = unit.last("Container", "AutoUpdate")
    if own and own.value == "registry":
        return own
    for setting in unit.all("Container", "Label"):
        if f"{_LABEL}=registry" in words(setting.value):
            return setting
    return None


def _unproven(unit: Unit, updates: Setting) -> Iterator[Finding]:
    if unit.word("Container", "Notify") not in _PROVEN:
        yield Finding(
            "error", "update-unproven", updates.file, updates.line, updates.text,
            "without Notify=healthy or true, podman takes an image that ends at once for a good"
            " one; and it never updates a container that does not run",
            "Notify=healthy with HealthCmd= in [Container]",
        )  # fmt: skip
    command = unit.last("Container", "HealthCmd")
    if command and command.value != "none" and not command.value.startswith("["):
        yield Finding(
            "warning", "update-shell", command.file, command.line, command.text,
            "a shell of the image runs it: in an image without one each check fails, of a good"
            " update and of the image that podman goes back to",
            "HEALTHCHECK of the image as a list; from podman 5.8.2 on HealthCmd=[\"/app/check\"]",
        )  # fmt: skip


def _unreachable(unit: Unit) -> Iterator[Finding]:
    image = unit.last("Container", "Image")
    if image and not _QUALIFIED.fullmatch(image.value):
        yield Finding(
            "error", "update-name", image.file, image.line, image.text,
            "podman updates an image by its whole name with a tag; a digest never changes",
            "Image=registry.example.org/name:tag",
        )  # fmt: skip


def _shared(unit: Unit) -> Iterator[Finding]:
    if pod := unit.last("Container", "Pod"):
        yield Finding(
            "error", "update-pod", pod.file, pod.line, pod.text,
            "an update of one container restarts the whole pod",
            "a .network that the containers share",
        )  # fmt: skip


def _kept(unit: Unit) -> Iterator[Finding]:
    for volume in unit.all("Container", "Volume"):
        parts = volume.value.split(":")
        if len(parts) > 1 and "ro" not in parts[-1].split(","):
            yield Finding(
                "warning", "update-data", volume.file, volume.line, volume.text,
                "going back to the image before does not bring the data back that a bad one wrote",
                f":ro where that is enough; else {_PULL_APP}, with BEFORE_SWITCH",
            )  # fmt: skip
