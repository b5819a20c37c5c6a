"""Render templates and overlays, and compile them to a machine spec."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from butane.assemble import assemble
from butane.compile import Compiled, compile_text
from butane.errors import ButaneError
from butane.files import carried_files
from butane.render import Values, render_folder
from deploy.node.file import File
from deploy.project import OVERLAYS, TEMPLATES, Project
from deploy.spec.plan.values import template_values

_APP = "app.bu"


@dataclass(frozen=True, slots=True)
class Sources:
    """The rendered files that a machine spec is made from: path -> content."""

    templates: Mapping[str, bytes] = field(repr=False)
    overlays: Mapping[str, bytes] = field(repr=False)

    @property
    def all(self) -> dict[str, bytes]:
        """Templates and overlays together."""
        return {**self.templates, **self.overlays}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A project's rendered sources, the assembled Butane text, and the compiled Ignition config."""

    project: Project
    sources: Sources
    text: str = field(repr=False)
    compiled: Compiled = field(repr=False)


def render(project: Project, values: Values | None = None, *, tool: str = "python") -> Rendered:
    """Render templates and overlays and compile them; `values` default to those of the settings.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    sources = render_sources(project.folder, values or template_values(project.settings))
    text = assemble(fragments(sources.all))
    name = f"build/{project.settings.app}.bu"
    return Rendered(project, sources, text, compile_with(sources.all, text, name=name, tool=tool))


def app_files(rendered: Rendered) -> tuple[File, ...]:
    """Compile `app.bu` alone: the host files of the app, as a new machine has them.

    Raises:
        ButaneError: when the template is wrong.
    """
    templates = rendered.sources.templates
    compiled = compile_with(templates, templates[_APP].decode(), name=_APP)
    return tuple(
        File(file.path, file.content, file.mode) for file in carried_files(compiled.ignition)
    )


def render_sources(folder: Path, values: Values) -> Sources:
    """Render templates and overlays; an overlay may not replace a template.

    Raises:
        ButaneError: for a blank without a value, or an overlay with the name of a template.
    """
    sources = Sources(render_folder(TEMPLATES, values), render_folder(folder / OVERLAYS, values))
    clash = sorted(sources.templates.keys() & sources.overlays.keys())
    if clash:
        raise ButaneError(
            f"{OVERLAYS / clash[0]} has the name of a template",
            "rename the overlay; its contents override the template's under any name",
        )
    return sources


def fragments(rendered: Mapping[str, bytes]) -> dict[str, str]:
    """Pick the Butane files, in the order in which `assemble` joins them."""
    first = ("node.bu", _APP)
    others = sorted(name for name in rendered if name.endswith(".bu") and name not in first)
    return {name: _text(name, rendered[name]) for name in (*first, *others)}


def compile_with(
    files: Mapping[str, bytes], text: str, *, name: str, tool: str = "python"
) -> Compiled:
    """Compile a Butane text that refers to these files; errors call it `name`.

    Raises:
        ButaneError: with every error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for file, content in files.items():
            path = Path(scratch) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return compile_text(text, files=Path(scratch), name=name, tool=tool)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ButaneError(
            f"{name}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error
