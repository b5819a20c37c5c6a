"""The page at `/`: what runs here, and the project's own index.html."""

from __future__ import annotations

import html
from pathlib import Path

from container.sample.app.settings import Settings

_LARGEST = 1 << 20
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{app}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto }}
dt {{ float: left; clear: left; width: 7rem; color: #666 }}
</style>
</head>
<body>
<h1>{app}</h1>
<dl>{facts}</dl>
<main>
{content}
</main>
</body>
</html>
"""


def render_page(settings: Settings) -> bytes:
    """Make the page; the project files are read each time, so changes show at once."""
    facts = {
        "version": settings.version,
        "release": settings.release,
        "host": settings.host,
    }
    rows = "".join(
        f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items() if value
    )
    content = _project_content(Path(settings.files, "index.html"))
    return _PAGE.format(app=html.escape(settings.app), facts=rows, content=content).encode()


def _project_content(path: Path) -> str:
    # The operator's own markup, deployed with the app: it goes in as it is.
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return "<p>There is no index.html among the project files yet.</p>"
