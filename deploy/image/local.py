"""The image on the workstation, in podman's storage."""

import json
import subprocess

from deploy.errors import DeployError
from deploy.plan.steps import Image

_LONGEST_SECONDS = 60


def find_image(name: str) -> Image:
    """Look an image up by name.

    Raises:
        DeployError: when podman is missing, or the image is.
    """
    try:
        done = subprocess.run(
            ["podman", "image", "inspect", name],
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise DeployError("podman is not installed here", "install podman") from error
    except subprocess.TimeoutExpired as error:
        raise DeployError("podman does not answer", "try `podman image ls`") from error
    if done.returncode:
        raise DeployError(
            f"the image {name} cannot be read: {_last_line(done.stderr)}",
            "build it first (`fab sample-build` builds the sample), or mend IMAGE",
        )
    found = json.loads(done.stdout)[0]
    return Image(name, f"sha256:{found['Id']}", found["Size"])


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].removeprefix("Error: ") if lines else "podman says nothing"
