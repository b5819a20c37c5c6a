"""Read the operator's own part of an app's route: `proxy/APP.caddy`, `proxy/errors/`, ACME_ROOT."""

import re

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.plan.route import RouteFiles

_PAGE = re.compile(r"[45][0-9]{2}\.html")
_MOST_BYTES = 1 << 18


def read_route_files(project: Project) -> RouteFiles:
    """Read the operator's directives, error pages and ACME root; nothing where there are none.

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
    root = project.settings.acme_root
    return RouteFiles(directives, pages, _read(project, root) if root else b"")


def _read(project: Project, path: object) -> bytes:
    file = project.folder / str(path)
    try:
        content = file.expanduser().read_bytes()
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror}", "correct it") from error
    if len(content) > _MOST_BYTES:
        raise DeployError(f"{path} is larger than {_MOST_BYTES >> 10} KiB", "make it smaller")
    return content
