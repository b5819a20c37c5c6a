"""Read the operator's part of a route: files below `proxy/`, and ACME_ROOT."""

import re
from collections.abc import Iterator

from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError, read_instances
from deploy.spec.lint.finding import Finding
from deploy.spec.plan.route import RouteFiles

_PAGE = re.compile(r"[45][0-9]{2}\.html")
# Of hidden folders only the one that is meant for visitors.
_PATH = re.compile(r"(\.well-known/)?[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_MOST_BYTES = 1 << 18
_MOST_STATIC_BYTES = 1 << 20


def read_route_files(project: Project) -> RouteFiles:
    """Read the operator's directives, pages, static files and ACME root; nothing without them.

    Raises:
        DeployError: for a file that cannot be read, is too large or has no usable name.
    """
    if project.settings.tls != "proxy":
        return RouteFiles()
    own = project.proxy / f"{project.settings.app}.caddy"
    directives: tuple[str, ...] = ()
    if own.exists():
        try:
            directives = tuple(
                _read(project, own.relative_to(project.folder)).decode().splitlines()
            )
        except UnicodeDecodeError as error:
            raise DeployError(f"{own}: not UTF-8 text", "save it as UTF-8") from error
    pages = {}
    for page in sorted((project.proxy / "errors").glob("*")):
        if not _PAGE.fullmatch(page.name):
            raise DeployError(
                f"{page.relative_to(project.folder)} is no error page",
                "name each page by its status, such as 502.html",
            )
        pages[page.name] = _read(project, page.relative_to(project.folder))
    pages |= _static_files(project)
    root = project.settings.acme_root
    return RouteFiles(directives, pages, _read(project, root) if root else b"")


def unused_routes(project: Project) -> Iterator[Finding]:
    """Find files `proxy/NAME.caddy` that belong to no app with TLS=proxy of this folder."""
    own = f"{project.settings.app}.caddy" if project.settings.tls == "proxy" else ""
    others = [file for file in sorted(project.proxy.glob("*.caddy")) if file.name != own]
    if not others:
        return
    try:
        apps = {one.app for one in read_instances(project.folder) if one.tls == "proxy"}
    except SettingsError:
        return  # `fab check` of that instance shows it
    for file in others:
        if file.stem not in apps:
            yield Finding(
                "warning",
                "route",
                str(file.relative_to(project.folder)),
                0,
                f"no app of this folder with TLS=proxy is called {file.stem}",
                "No route has its directives.",
                f"name it after an app: {', '.join(sorted(apps)) or 'there is none'}",
            )


def _static_files(project: Project) -> dict[str, bytes]:
    """Read the files below `proxy/static/`, by their paths from `static` on."""
    found: dict[str, bytes] = {}
    base = project.proxy / "static"
    for file in sorted(base.rglob("*")):
        shown = file.relative_to(project.folder)
        if file.is_dir() and not file.is_symlink():
            continue
        if file.is_symlink() or not _PATH.fullmatch(str(file.relative_to(base))):
            raise DeployError(
                f"{shown} cannot be sent as a static file",
                "use files, no links, named with letters, digits, `.`, `_` and `-`; hidden ones "
                "only below `.well-known`",
            )
        found[f"static/{file.relative_to(base)}"] = _read(project, shown)
    if sum(map(len, found.values())) > _MOST_STATIC_BYTES:
        raise DeployError(
            f"{base.relative_to(project.folder)} has more than {_MOST_STATIC_BYTES >> 20} MiB, and "
            "the proxy keeps it in memory",
            "serve large files from an app of their own",
        )
    return found


def _read(project: Project, path: object) -> bytes:
    file = project.folder / str(path)
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror}", "correct it") from error
    if len(content) > _MOST_BYTES:
        raise DeployError(f"{path} is larger than {_MOST_BYTES >> 10} KiB", "make it smaller")
    return content
