"""Read what writes the metrics of a machine with METRICS=on, and what sends them."""

import json

from certs.store import read
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import OTLP_HEADERS, Settings
from deploy.spec.carried import METRICS_SCRIPTS, OTLP_SCRIPTS, own_scripts


def read_metrics_files(settings: Settings) -> dict[str, bytes]:
    """Read the files of the script; nothing for another machine."""
    return {} if settings.metrics == "off" else own_scripts(settings, METRICS_SCRIPTS)


def read_otlp_files(project: Project) -> dict[str, bytes]:
    """Read the files of what sends journal and metrics; nothing without OTLP_ENDPOINT.

    Raises:
        DeployError: when OTLP_ROOT is not there.
    """
    settings = project.settings
    if not settings.otlp_endpoint:
        return {}
    # Traces are of this workstation.
    sends = [one for one in settings.otlp_send if one != "traces"]
    if not sends:
        return {}
    own: dict[str, object] = {"endpoint": settings.otlp_endpoint, "send": sends}
    if OTLP_HEADERS in {one.credential for one in settings.sources}:
        # The release that serves has the credential.
        own["app"] = settings.app
    files = {"settings.json": json.dumps(own, indent=1).encode() + b"\n"}
    if root := project.otlp_root:
        if not root.exists():
            raise DeployError(
                f"OTLP_ROOT names {root}, which is not there",
                "name the file with the root certificate of the endpoint's authority",
            )
        files["root.crt"] = read(root)
    return {**own_scripts(settings, OTLP_SCRIPTS), **files}
