"""The files that a machine spec is made of: templates and overlays, rendered."""

from collections.abc import Mapping
from pathlib import Path

from butane.errors import ButaneError
from butane.render import render_folder
from deploy.project import OVERLAYS, TEMPLATES


def render_machine(folder: Path, values: Mapping[str, str | tuple[str, ...]]) -> dict[str, bytes]:
    """Render templates and overlays: path -> content; an overlay may not replace a template."""
    rendered = render_folder(TEMPLATES, values)
    overlays = render_folder(folder / OVERLAYS, values)
    clash = sorted(rendered.keys() & overlays.keys())
    if clash:
        raise ButaneError(
            f"{OVERLAYS / clash[0]} has the name of a template",
            "give the overlay a name of its own; its settings override the template's all the same",
        )
    return rendered | overlays


def fragments(rendered: Mapping[str, bytes]) -> dict[str, str]:
    """Pick the Butane files, in the order in which they are joined."""
    first = ("node.bu", "app.bu")
    others = sorted(name for name in rendered if name.endswith(".bu") and name not in first)
    return {name: _text(name, rendered[name]) for name in (*first, *others)}


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ButaneError(
            f"{name}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error
