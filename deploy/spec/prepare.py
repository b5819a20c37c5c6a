"""Verb: settings, keys and templates become the machine spec, `build/<app>.bu` and `.ign`."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from butane.compile import Compiled
from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError, read_settings
from deploy.settings.model import SECRET_KEYS, Settings, allowed
from deploy.spec.login_keys import collect_keys
from deploy.spec.people import read_key
from deploy.spec.plan.values import template_values
from deploy.spec.render import Rendered, render, render_sources
from deploy.spec.units import refuse_traps
from deploy.workstation.files import write_atomically
from deploy.workstation.state import save_spec

_PRIVATE = 0o600


def prepare(project: Project, *, compiler: str = "python") -> Path:
    """Write build/<app>.bu and build/<app>.ign (0600); return the latter.

    Raises:
        ButaneError: when a template or an overlay is wrong; nothing is written then.
        DeployError: when a unit holds a trap; nothing is written then.
    """
    settings = project.settings
    keys = collect_keys(project)
    mark, rendered = render_spec(project, keys, compiler)
    refuse_traps(rendered)
    _refuse_secrets(settings, rendered.sources.all)
    _write_tree(project.build / settings.app, rendered.sources.all)
    write_atomically(project.butane, rendered.text.encode(), _PRIVATE)
    ignition = rendered.compiled.ignition
    write_atomically(project.ignition, ignition.encode(), _PRIVATE)
    save_spec(project.folder, mark, ignition)
    _tell(settings, rendered.compiled, keys)
    return project.ignition


def settings_or_ask(folder: Path, name: str | None, *, may_ask: bool) -> Settings:
    """Read the settings; ask for what is missing when there is somebody to ask.

    Answers are kept in `.env` (0600), secrets are not asked for here.
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


def render_spec(
    project: Project, keys: tuple[str, ...], compiler: str = "python"
) -> tuple[str, Rendered]:
    """Render and compile a machine spec that bears its own mark; give the mark, too.

    The mark is the hash of all that the spec is made of, with zeros in the mark's own place.

    Raises:
        ButaneError: when a template or an overlay is wrong.
    """
    values = template_values(project.settings, keys)
    digest = hashlib.sha256()
    for name, content in sorted(render_sources(project.folder, values).all.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    mark = digest.hexdigest()
    return mark, render(project, {**values, "SPEC": mark}, tool=compiler)


def _refuse_secrets(settings: Settings, rendered: Mapping[str, bytes]) -> None:
    """Look in all that a spec is made of: in the spec itself, files are coded and packed."""
    places = {name: content.decode(errors="replace") for name, content in rendered.items()}
    places |= {f"ENV_{name}": value for name, value in settings.environment.items()}
    for source in settings.sources:
        value = source.value.get_secret_value() if source.value else ""
        found = sorted(name for name, text in places.items() if value and value in text)
        if found:
            raise DeployError(
                f"the value of {source.key} appears in {', '.join(found)}, "
                "which would be part of the machine spec",
                "a spec can be read by every process of the machine: remove it there (or choose "
                "a better password); credentials reach a node by `fab deploy`",
            )


def _tell(settings: Settings, compiled: Compiled, keys: tuple[str, ...]) -> None:
    for warning in compiled.warnings:
        output.warn(warning)
    output.good(
        f"build/{settings.app}.bu and build/{settings.app}.ign, compiled by {compiled.tool}"
    )
    for key in filter(None, map(read_key, keys)):
        words = (key.options, key.kind, key.comment)
        text = " ".join(word for word in words if word)
        output.say(f"  {settings.node_user} may log in with {text}")


def _keep(file: Path, answers: Mapping[str, str]) -> None:
    lines = [f"{key}={answer}\n" for key, answer in answers.items() if key not in SECRET_KEYS]
    old = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    # What was asked for may stand there without a value; twice it would be refused.
    kept = [f"{line}\n" for line in old if line.partition("=")[0].strip() not in answers]
    write_atomically(file, "".join([*kept, *lines]).encode(), _PRIVATE)
    output.good(f"your answers are kept in {file.name}")


def _write_tree(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(folder / name, content, _PRIVATE)
    for stale in folder.rglob("*"):
        if stale.is_file() and stale.relative_to(folder).as_posix() not in files:
            stale.unlink()
