"""Images that a test builds with podman on this machine."""

import subprocess
from pathlib import Path


def build_image(name: str, text: str, folder: Path, *, form: str = "oci") -> str:
    """Build an image from the text of a Containerfile and the files of a folder; return its id."""
    # No cache of layers: another test process may remove the image that a step was taken from.
    words = ["podman", "build", "-q", "--layers=false", f"--format={form}", "-t", name, "-f", "-"]
    done = subprocess.run(
        [*words, str(folder)], input=text.encode(), check=True, capture_output=True
    )
    return done.stdout.decode().split()[-1]
