"""Where Caddy names a line of a route that the operator wrote, name the operator's own file."""

import re

from butane.render import origin_lines
from deploy.project import TEMPLATES, Project
from deploy.spec.render import values_of


def in_own_file(message: str, project: Project) -> str:
    """Replace lines of the app's route by those of `proxy/APP.caddy` that they are from."""
    app = project.settings.app
    template = (TEMPLATES / "app/route.caddy").read_text(encoding="utf-8")
    origins = origin_lines(template, values_of(project))
    blank = next(
        line for line, text in enumerate(template.splitlines(), 1) if "@DIRECTIVE@" in text
    )

    def renamed(found: re.Match[str]) -> str:
        line = int(found[1])
        if line > len(origins) or origins[line - 1] != blank:
            return found[0]
        return f"proxy/{app}.caddy:{line - origins.index(blank)}"

    return re.sub(rf"[^\s:]+/routes/{re.escape(app)}\.caddy:([1-9]\d{{0,5}})\b", renamed, message)
