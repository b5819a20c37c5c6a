"""Images that tests build with podman on this machine, and remove."""

import subprocess
from pathlib import Path

from container.image import alone


def build_image(name: str, text: str, folder: Path, *, form: str = "oci") -> str:
    """Build an image from the text of a Containerfile and the files of a folder; return its id."""
    words = ["podman", "build", "-q", f"--format={form}", "-t", name, "-f", "-", str(folder)]
    with alone():
        done = subprocess.run(words, input=text.encode(), check=True, capture_output=True)
    return done.stdout.decode().split()[-1]


def remove_images(*names: str) -> None:
    """Remove images, if they are there.

    No other process builds meanwhile: podman removes a layer with its last image, and a build that
    has already chosen the layer from its cache would fail.
    """
    with alone():
        words = ["podman", "rmi", "--force", "--ignore", *names]
        subprocess.run(words, check=True, capture_output=True)
