"""Scripts that a machine carries, to be run there without a workstation."""

from collections.abc import Iterable

from deploy.node.script import carried
from deploy.settings.model import Settings

# The updater of an app, and the scripts of a deploy that it runs.
PULL_SCRIPTS = (
    "before-switch", "finish", "guard", "logs", "move", "prove-slot", "pull", "retire",
    "stage", "stage-again", "start", "undo",
)  # fmt: skip
# The updater of a node's bundle, and what applies a bundle.
BUNDLE_SCRIPTS = ("bundle", "converge")
# What makes the status pages, and the scripts whose answers they have.
STATUS_SCRIPTS = (
    "audit-lines", "collected", "holdings", "inspect", "page", "probe", "pull-status", "releases",
    "spec-hash", "workers",
)  # fmt: skip
# What writes the metrics.
METRICS_SCRIPTS = ("metrics",)
# What sends journal and metrics.
OTLP_SCRIPTS = ("otlp",)
# What sends notifications.
NOTIFY_SCRIPTS = ("notify",)
# What decides whether an update of the operating system stays.
OS_HEALTH_SCRIPTS = ("os-health",)


def carried_scripts(names: Iterable[str]) -> dict[str, bytes]:
    """Return the files of scripts, with their library; that is the same for any of them.

    So user data for a cloud has it once.
    """
    every = (
        *(*PULL_SCRIPTS, *BUNDLE_SCRIPTS, *STATUS_SCRIPTS),
        *(*METRICS_SCRIPTS, *OTLP_SCRIPTS, *NOTIFY_SCRIPTS, *OS_HEALTH_SCRIPTS),
    )
    return carried(names, every)


def own_scripts(settings: Settings, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return the files of scripts of a machine that may follow no tag: with what they need alone.

    A machine that has the whole library for its updater takes no other one.
    """
    return carried_scripts(names) if settings.follows else carried(names, names)
