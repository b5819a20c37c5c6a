"""The image of the app that tests of the proxy visit."""

import subprocess
from pathlib import Path

_APP = Path(__file__).with_name("visited_app.py")


def build(tag: str, folder: Path, base: str, *lines: str) -> None:
    """Build it on an image that has Python, with more lines in its Containerfile."""
    (folder / "app.py").write_text(_APP.read_text())
    text = "\n".join([
        f"FROM {base}",
        "LABEL io.corefab.status=''",
        "COPY app.py /",
        *lines,
        "ENTRYPOINT []",
        'CMD ["/usr/bin/python3", "/app.py"]',
    ])  # fmt: skip
    words = ["podman", "build", "-q", "--format=docker", "-t", tag, "-f", "-", "."]
    subprocess.run(words, cwd=folder, input=text.encode(), check=True, capture_output=True)
