"""Hardening that a container is without."""

from collections.abc import Iterator

from deploy.settings.capabilities import CAPABILITIES
from deploy.spec.lint.finding import Finding
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import words

_NO = {"false", "no", "0", "off"}


def check(unit: Unit) -> Iterator[Finding]:
    """Find capabilities that a container has, and a root file system that it may write."""
    for setting in unit.all("Container", "AddCapability"):
        for word in words(setting.value):
            name = word.upper().removeprefix("CAP_")
            yield Finding(
                "warning", "capability", setting.file, setting.line, f"AddCapability={word}",
                f"whoever takes over the app may {CAPABILITIES.get(name, 'do what it permits')}",
                "remove it from CONTAINER_CAPABILITIES if the app runs without (`fab try` tells);"
                " for a port below 1024, another port in the app's own configuration",
            )  # fmt: skip
    root = unit.last("Container", "ReadOnly")
    if root and root.value.lower() in _NO:
        yield Finding(
            "warning", "writable-root", root.file, root.line,
            root.text,
            "whoever takes over the app may change its programs; what it writes outside of volumes"
            " fills the node's disk and is lost at each restart",
            "READ_ONLY=true, with VOLUMES and CONTAINER_TMPFS for the folders that it writes;"
            " `fab try` names them",
        )  # fmt: skip
