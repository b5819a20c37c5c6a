"""Compile Butane to Ignition, by the installed `butane` or by this project's translator."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from butane.errors import ButaneError
from butane.translate.translation import translate

_LONGEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Compiled:
    """An Ignition config, the tool that made it, and its warnings."""

    ignition: str
    tool: str
    warnings: tuple[str, ...]


def compile_text(text: str, *, files: Path, name: str, tool: str = "python") -> Compiled:
    """Compile a Butane text; `tool` is `python`, `real`, or `auto`: real where installed.

    Raises:
        ButaneError: with every error the tool reports.
    """
    real = shutil.which("butane")
    if tool not in {"auto", "python", "real"}:
        raise ButaneError(f"unknown Butane compiler {tool!r}", "choose auto, python or real")
    if tool == "real" and not real:
        raise ButaneError("butane is not installed", "install it, or choose --butane python")
    if real and tool != "python":
        return _by_program(real, text, files=files, name=name)
    return _by_translator(text, files=files, name=name)


def _by_translator(text: str, *, files: Path, name: str) -> Compiled:
    translation = translate(text, files=files, name=name)
    lines = [(x.kind, f"{name}:{x.line}: {x.message} ({x.path})") for x in translation.reports]
    if translation.ignition is None:
        errors = [line for kind, line in lines if kind == "error"]
        raise ButaneError(
            "\n".join(errors or [f"{name}: {translation.failure}"]), f"correct {name}"
        )
    warnings = tuple(line for _, line in lines)
    return Compiled(translation.ignition, "the translator in butane/translate", warnings)


def _by_program(program: str, text: str, *, files: Path, name: str) -> Compiled:
    done = subprocess.run(
        [program, "--files-dir", str(files)],
        input=text.encode(),
        capture_output=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise ButaneError(f"{name}: {said}", f"correct {name}")
    return Compiled(done.stdout.decode(), program, tuple(said.splitlines()))
