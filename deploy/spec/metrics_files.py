"""Read what writes the metrics of a machine with METRICS=on."""

from deploy.node.script import carried
from deploy.settings.model import Settings
from deploy.spec.carried import METRICS_SCRIPTS, carried_scripts


def read_metrics_files(settings: Settings) -> dict[str, bytes]:
    """Read the files of the script; nothing for another machine."""
    if settings.metrics == "off":
        return {}
    # A machine that has the whole library for its updater takes no other one.
    if settings.follows:
        return carried_scripts(METRICS_SCRIPTS)
    return carried(METRICS_SCRIPTS, METRICS_SCRIPTS)
