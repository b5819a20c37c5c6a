"""Read what writes the metrics of a machine with METRICS=on."""

from deploy.node.script import script_text
from deploy.settings.model import Settings


def read_metrics_files(settings: Settings) -> dict[str, bytes]:
    """Read the script by its file's name; nothing for another machine."""
    return {"metrics.sh": script_text("metrics").encode()} if settings.metrics == "on" else {}
