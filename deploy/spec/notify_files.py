"""Read what sends the notifications of a machine that follows a registry."""

import json

from deploy.settings.model import Settings
from deploy.spec.carried import NOTIFY_SCRIPTS, carried_scripts


def read_notify_files(settings: Settings) -> dict[str, bytes]:
    """Read the files of the script, and its settings; nothing for another machine."""
    if not settings.node_notifies:
        return {}
    own = {
        "app": settings.app,
        "node": settings.node_address or settings.node_hostname,
        "format": settings.notify_format,
    }
    return {
        **carried_scripts(NOTIFY_SCRIPTS),
        "settings.json": json.dumps(own, indent=1).encode() + b"\n",
    }
