"""Read what writes the metrics of a machine with METRICS=on."""

from deploy.settings.model import Settings
from deploy.spec.carried import METRICS_SCRIPTS, carried_scripts


def read_metrics_files(settings: Settings) -> dict[str, bytes]:
    """Read the files of the script; nothing for another machine."""
    return carried_scripts(METRICS_SCRIPTS) if settings.metrics == "on" else {}
