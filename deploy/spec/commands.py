"""Commands: make the machine spec and check it."""

from invoke.context import Context

from deploy.options import folder_of
from deploy.task import task


@task(
    "prepare and install",
    help={
        "yes": "never ask",
        "butane": "compile by python, the real one, or auto: real where installed",
    },
)
def prepare(context: Context, *, name: str = "", yes: bool = False, butane: str = "python") -> None:
    """Make the machine spec: build/<app>.bu and build/<app>.ign."""
    from deploy.project import Project
    from deploy.spec.prepare import prepare as make
    from deploy.spec.prepare import settings_or_ask

    folder = folder_of(context)
    make(Project(folder, settings_or_ask(folder, name or None, may_ask=not yes)), compiler=butane)


@task("prepare and install")
def check(context: Context, *, name: str = "", json: bool = False) -> int:
    """Check settings, templates, overlays and units with no node; exit code 1 on errors."""
    from deploy.spec.check import check as look

    return look(folder_of(context), name or None, as_json=json)
