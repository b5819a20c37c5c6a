"""Verb: make the machine spec, `build/<app>.bu` and `build/<app>.ign`, from the settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from butane.compile import Compiled
from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError, read_settings
from deploy.settings.model import Settings, allowed
from deploy.settings.secrets import SECRET_KEYS
from deploy.spec.access_key import read_key
from deploy.spec.beside import apps_beside
from deploy.spec.login_keys import collect_keys
from deploy.spec.overlays import write_entries
from deploy.spec.render import Rendered, Sources
from deploy.spec.spec import render_spec
from deploy.spec.units import refuse_errors
from deploy.workstation.files import write_atomically
from deploy.workstation.state import save_spec

_PRIVATE = 0o600


def prepare(project: Project, *, compiler: str = "python") -> Path:
    """Write build/<app>.bu and build/<app>.ign (0600); return the path of the .ign file.

    Raises:
        ButaneError: when a template or an overlay is wrong; nothing is written then.
        DeployError: when the lint finds errors; nothing is written then.
    """
    settings = project.settings
    keys = collect_keys(project)
    beside = apps_beside(project)
    sha256, rendered = checked_spec(project, keys, compiler)
    _write_tree(project.build / settings.app, rendered.sources)
    write_atomically(project.butane, rendered.text.encode(), _PRIVATE)
    ignition = rendered.compiled.ignition
    write_atomically(project.ignition, ignition.encode(), _PRIVATE)
    save_spec(project.folder, sha256, ignition)
    _report(settings, rendered.compiled, keys)
    _report_birth(settings, [one.settings.app for one in beside])
    if settings.ssh == "off" and not project.operator.exists():
        output.warn(
            f"the machine will make no status page: {project.operator} is not there; "
            "`fab operator-key` makes it, before `fab prepare`"
        )
    return project.ignition


def checked_spec(
    project: Project, keys: tuple[str, ...], compiler: str = "python"
) -> tuple[str, Rendered]:
    """Render a machine spec that has neither errors nor secrets; return its hash with it.

    Raises:
        ButaneError: when a template or an overlay is wrong.
        DeployError: when the lint finds errors, or a secret is in the spec.
    """
    sha256, rendered = render_spec(project, keys, compiler)
    refuse_errors(rendered)
    for one in (project, *apps_beside(project)):
        _refuse_secrets(one.settings, rendered.sources.all)
    return sha256, rendered


def settings_or_ask(folder: Path, name: str | None, *, may_ask: bool) -> Settings:
    """Read the settings; on a terminal, ask for the required ones that are missing.

    Answers are written to `.env` (0600); secrets are not asked for.
    """
    try:
        return read_settings(folder, name)
    except SettingsError as error:
        if not error.missing or not may_ask or not prompt.has_terminal():
            raise
        answers = {key: prompt.ask(f"{key} ({allowed(key)})") for key in error.missing}
    settings = read_settings(folder, name, answers)
    _keep(folder / (f".env.{name}" if name else ".env"), answers)
    return settings


def _refuse_secrets(settings: Settings, rendered: Mapping[str, bytes]) -> None:
    """Search the sources for secrets: in the spec itself, files are encoded and compressed."""
    places = {name: content.decode(errors="replace") for name, content in rendered.items()}
    places |= {f"ENV_{name}": value for name, value in settings.environment.items()}
    for source in settings.all_sources:
        value = source.value.get_secret_value() if source.value else ""
        found = sorted(name for name, text in places.items() if value and value in text)
        if found:
            raise DeployError(
                f"the value of {source.key} appears in {', '.join(found)}, "
                "which becomes part of the machine spec",
                "every process on the machine can read the spec: remove the value there (or choose "
                "a better password); `fab deploy` brings credentials to a node",
            )


def _report(settings: Settings, compiled: Compiled, keys: tuple[str, ...]) -> None:
    for warning in compiled.warnings:
        output.warn(warning)
    output.good(
        f"build/{settings.app}.bu and build/{settings.app}.ign, compiled by {compiled.tool}"
    )
    for key in filter(None, map(read_key, keys)):
        words = (key.options, key.kind, key.comment)
        text = " ".join(word for word in words if word)
        output.say(f"  {settings.node_user} may log in with {text}")


def _report_birth(settings: Settings, beside: Sequence[str]) -> None:
    """Say which apps the machine has from its first boot on, and how to get in."""
    if settings.ssh == "off":
        output.say(f"  SSH is off: {settings.node_user} logs in at the machine's console alone")
    if settings.born:
        output.say(f"  it is born with {', '.join((settings.app, *beside))}, from their registries")
        if settings.bundled:
            output.say(
                "  its credentials come once its key is known: `fab enrol`, `fab creds-seal`"
            )
    elif settings.follows:
        because = ", ".join(settings.needs_deploy)
        output.warn(f"{settings.app} waits for `fab deploy --first`, which brings {because}")


def _keep(file: Path, answers: Mapping[str, str]) -> None:
    lines = [f"{key}={answer}\n" for key, answer in answers.items() if key not in SECRET_KEYS]
    old = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    # A key may be there without a value already; a second line for it would be refused.
    kept = [f"{line}\n" for line in old if line.partition("=")[0].strip() not in answers]
    write_atomically(file, "".join([*kept, *lines]).encode(), _PRIVATE)
    output.good(f"your answers were written to {file.name}")


def _write_tree(folder: Path, sources: Sources) -> None:
    for name, content in sources.all.items():
        write_atomically(folder / name, content, _PRIVATE)
    write_entries(folder, sources.tree)
    known = sources.all.keys() | sources.tree.keys()
    for stale in folder.rglob("*"):
        is_file = stale.is_symlink() or stale.is_file()
        if is_file and stale.relative_to(folder).as_posix() not in known:
            stale.unlink()
