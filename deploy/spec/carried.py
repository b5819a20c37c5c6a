"""Scripts that a machine carries, to be run there without a workstation."""

from collections.abc import Iterable

from deploy.node.script import carried

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


def carried_scripts(names: Iterable[str]) -> dict[str, bytes]:
    """Return the files of scripts, with their library; that is the same for any of them.

    So user data for a cloud has it once.
    """
    every = (
        *(*PULL_SCRIPTS, *BUNDLE_SCRIPTS, *STATUS_SCRIPTS),
        *(*METRICS_SCRIPTS, *OTLP_SCRIPTS, *NOTIFY_SCRIPTS),
    )
    return carried(names, every)
