"""Read what decides, on a machine with UPDATE_HEALTH_SECONDS, whether an update stays."""

from deploy.settings.model import Settings
from deploy.spec.carried import OS_HEALTH_SCRIPTS, own_scripts


def read_os_health_files(settings: Settings) -> dict[str, bytes]:
    """Read the files of the script; nothing for another machine."""
    return own_scripts(settings, OS_HEALTH_SCRIPTS) if settings.update_health_seconds else {}
