"""Render templates and overlays, and compile them to a machine spec."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from butane.assemble import Assembled, Fragment, assemble
from butane.compile import Compiled, compile_text
from butane.errors import ButaneError
from butane.files import carried_files
from butane.render import Values, origin_lines, render_folder
from deploy.node.file import File
from deploy.project import OVERLAYS, TEMPLATES, Project
from deploy.spec.metrics_files import read_metrics_files, read_otlp_files
from deploy.spec.notify_files import read_notify_files
from deploy.spec.os_health_files import read_os_health_files
from deploy.spec.overlays import (
    is_link,
    tree_entries,
    tree_roots,
    updates_by_itself,
    write_entries,
)
from deploy.spec.plan.pull import (
    bundle_values,
    metrics_values,
    notice_values,
    os_health_values,
    otlp_values,
    pull_values,
    status_values,
)
from deploy.spec.plan.values import template_values
from deploy.spec.pull_files import read_bundle_files, read_pull_files
from deploy.spec.route_files import read_route_files
from deploy.spec.status_files import read_status_files

_APP = "app.bu"
# The folder with the files that it refers to.
_APP_FOLDER = "app"
_OF_THE_MACHINE = ("node.bu", "data.bu")


@dataclass(frozen=True, slots=True)
class Sources:
    """The rendered files that a machine spec is made from: path -> content."""

    templates: Mapping[str, bytes] = field(repr=False)
    overlays: Mapping[str, bytes] = field(repr=False)
    # Of each overlay, the line of the file that each rendered line is from.
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    # Links, folders and executable files below the overlays that are trees.
    tree: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, bytes]:
        """Templates and overlays together."""
        return {**self.templates, **self.overlays}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A project's rendered sources, these assembled, and the compiled Ignition config."""

    project: Project
    sources: Sources
    assembled: Assembled = field(repr=False)
    compiled: Compiled = field(repr=False)

    @property
    def text(self) -> str:
        """The assembled Butane text."""
        return self.assembled.text


def render(
    project: Project,
    values: Values | None = None,
    *,
    beside: Iterable[Project] = (),
    tool: str = "python",
) -> Rendered:
    """Render templates and overlays and compile them; `values` default to those of the settings.

    The machine has the apps `beside` as well.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    values = values or values_of(project)
    sources = render_sources(project.folder, values, beside)
    assembled = assemble(fragments(sources))
    name = f"build/{project.settings.app}.bu"
    return Rendered(
        project, sources, assembled, compile_with(sources, assembled, name=name, tool=tool)
    )


def values_of(
    project: Project, keys: tuple[str, ...] = (), revoked: bytes = b"", *, ipv6: bool = True
) -> Values:
    """Make the values of a project's templates.

    Raises:
        CertError: for what is no key that signs images.
        DeployError: when one of the operator's files for proxy, updater or metrics cannot be used.
    """
    settings, route = project.settings, read_route_files(project)
    return {
        **template_values(settings, keys, revoked, route=route, ipv6=ipv6),
        **pull_values(settings, read_pull_files(project)),
        **bundle_values(settings, read_bundle_files(project)),
        **status_values(read_status_files(project)),
        **metrics_values(read_metrics_files(settings)),
        **otlp_values(read_otlp_files(project)),
        **notice_values(read_notify_files(settings)),
        **os_health_values(read_os_health_files(settings)),
        "AUTO_UPDATE": ("yes",) if updates_by_itself(project.folder) else (),
    }


def app_files(rendered: Rendered) -> tuple[File, ...]:
    """Compile `app.bu` alone: the host files of the app, as a new machine has them.

    Raises:
        ButaneError: when the template is wrong.
    """
    sources = Sources(rendered.sources.templates, {})
    app = assemble([Fragment(_APP, sources.templates[_APP].decode())])
    compiled = compile_with(sources, app, name=_APP)
    return tuple(
        File(file.path, file.content, file.mode) for file in carried_files(compiled.ignition)
    )


def paths_of_apps(sources: Sources) -> frozenset[str]:
    """List the host files of every app that a machine is made with.

    Raises:
        ButaneError: when a template is wrong.
    """
    own = Sources(sources.templates, {})
    apps = assemble(one for one in fragments(own) if one.name not in _OF_THE_MACHINE)
    compiled = compile_with(own, apps, name=_APP)
    return frozenset(file.path for file in carried_files(compiled.ignition))


def render_sources(folder: Path, values: Values, beside: Iterable[Project] = ()) -> Sources:
    """Render templates and overlays; an overlay may not replace a template.

    For each app `beside`, what makes an app is rendered once more, in a folder of its name.

    Raises:
        ButaneError: for a blank without a value, or an overlay with the name of a template.
    """
    overlays = render_folder(folder / OVERLAYS, values)
    lines = {name: _lines(folder / OVERLAYS / name, values) for name in overlays}
    templates = render_folder(TEMPLATES, values)
    for other in beside:
        templates |= _app_templates(other)
    sources = Sources(templates, overlays, lines)
    clash = sorted(sources.templates.keys() & sources.overlays.keys())
    if clash:
        raise ButaneError(
            f"{OVERLAYS / clash[0]} has the name of a template",
            "rename the overlay; its contents override the template's under any name",
        )
    if not any(b"trees" in content for content in sources.overlays.values()):
        return sources
    root = assemble(fragments(sources)).root
    tree = tree_entries(folder / OVERLAYS, tree_roots(root))
    contents = {
        name: content
        for name, content in sources.overlays.items()
        if not is_link(tree.get(name, ""))
    }
    return replace(sources, overlays=contents, tree=tree)


def _app_templates(project: Project) -> dict[str, bytes]:
    """Render what makes an app, with other names than that of the machine's own app."""
    app, values = project.settings.app, values_of(project)
    rendered = render_folder(TEMPLATES, {**values, "APP_FOLDER": app})
    own = {f"{app}.bu": rendered[_APP]}
    folder = f"{_APP_FOLDER}/"
    for name, content in rendered.items():
        if name.startswith(folder):
            own[f"{app}/{name.removeprefix(folder)}"] = content
    return own


def fragments(sources: Sources) -> tuple[Fragment, ...]:
    """Pick the Butane files, in the order in which `assemble` joins them."""
    first = ("node.bu", _APP)
    others = sorted(sources.templates.keys() - set(first))
    templates = [
        Fragment(name, sources.templates[name].decode())
        for name in (*first, *others)
        if name.endswith(".bu")
    ]
    overlays = [
        Fragment(str(OVERLAYS / name), _text(name, content), sources.lines.get(name, ()))
        for name, content in sorted(sources.overlays.items())
        if name.endswith(".bu")
    ]
    return (*templates, *overlays)


def compile_with(
    sources: Sources, assembled: Assembled, *, name: str, tool: str = "python"
) -> Compiled:
    """Compile Butane that refers to these files; the installed program calls it `name`.

    Raises:
        ButaneError: with every error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for file, content in sources.all.items():
            path = Path(scratch) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        write_entries(Path(scratch), sources.tree)
        return compile_text(
            assembled.text, files=Path(scratch), name=name, tool=tool, root=assembled.root
        )


def _lines(file: Path, values: Values) -> tuple[int, ...]:
    """Give the line of a source file that each rendered line is from, if its name has no blank."""
    try:
        return origin_lines(file.read_text(encoding="utf-8"), values)
    except (OSError, UnicodeDecodeError):
        return ()


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ButaneError(
            f"{OVERLAYS / name}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error
