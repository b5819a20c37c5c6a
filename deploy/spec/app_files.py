"""The host files of an app: from the same `app.bu` that the machine spec is assembled from."""

from butane.files import carried_files
from deploy.node.file import File
from deploy.spec.render import Rendered, compile_with

FRAGMENT = "app.bu"


def app_files(rendered: Rendered) -> tuple[File, ...]:
    """Translate the app's fragment; a node made today holds exactly these files.

    Raises:
        ButaneError: when a template is wrong.
    """
    files = rendered.sources.templates
    compiled = compile_with(files, files[FRAGMENT].decode(), name=FRAGMENT)
    return tuple(
        File(file.path, file.content, file.mode) for file in carried_files(compiled.ignition)
    )
