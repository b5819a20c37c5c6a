"""The image of the app that tests of the proxy visit."""

from pathlib import Path

from tests.images import build_image

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
    build_image(tag, text, folder, form="docker")
