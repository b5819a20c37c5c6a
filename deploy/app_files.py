"""The host files of an app: from the same `app.bu` that the machine spec is assembled from."""

import tempfile
from pathlib import Path

from butane.compile import compile_text
from butane.files import carried_files
from butane.render import render_folder
from deploy.plan.files import File
from deploy.plan.values import template_values
from deploy.project import TEMPLATES, Project

FRAGMENT = "app.bu"


def app_files(project: Project) -> tuple[File, ...]:
    """Render and translate the app's fragment; a node made today holds exactly these files.

    Raises:
        ButaneError: when a template is wrong.
    """
    rendered = render_folder(TEMPLATES, template_values(project.settings))
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in rendered.items():
            path = Path(scratch) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        compiled = compile_text(
            rendered[FRAGMENT].decode(), files=Path(scratch), name=FRAGMENT, tool="python"
        )
    return tuple(
        File(file.path, file.content, file.mode) for file in carried_files(compiled.ignition)
    )
