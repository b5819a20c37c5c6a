"""Compile Butane to Ignition, by the installed `butane` or by this project's translator."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from butane.errors import ButaneError
from butane.translate.report import Report
from butane.translate.translation import Translation, translate, translate_node
from butane.translate.yaml_node import Node

_LONGEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Compiled:
    """An Ignition config, the tool that made it, and its warnings."""

    ignition: str
    tool: str
    warnings: tuple[str, ...]


def compile_text(
    text: str, *, files: Path, name: str, tool: str = "python", root: Node | None = None
) -> Compiled:
    """Compile a Butane text; `tool` is `python`, `real`, or `auto`: real where installed.

    `root` is the same as nodes that know the files they were joined from: errors and warnings of
    this project's translator are then shown at these files and lines. So are the errors of the
    installed program, which knows the joined text only, where the translator finds them too.

    Raises:
        ButaneError: with every error the tool reports.
    """
    real = shutil.which("butane")
    if tool not in {"auto", "python", "real"}:
        raise ButaneError(f"unknown Butane compiler {tool!r}", "choose auto, python or real")
    if tool == "real" and not real:
        raise ButaneError("butane is not installed", "install it, or choose --butane python")
    if real and tool != "python":
        answer = _by_program(real, text, files=files)
        if answer.returncode and root:
            _compiled(translate_node(root, files=files), name)
        return _checked(answer, real, name)
    done = translate_node(root, files=files) if root else translate(text, files=files, name=name)
    return _compiled(done, name)


def _compiled(translation: Translation, name: str) -> Compiled:
    if translation.ignition is None:
        errors = [one for one in translation.reports if one.kind == "error"]
        at = ", ".join(dict.fromkeys(one.file or name for one in errors)) or name
        shown = [_line(one, name) for one in errors] or [f"{name}: {translation.failure}"]
        raise ButaneError("\n".join(shown), f"correct {at}")
    warnings = tuple(_line(one, name) for one in translation.reports)
    return Compiled(translation.ignition, "the translator in butane/translate", warnings)


def _line(report: Report, name: str) -> str:
    path = f" ({report.path})" if report.path else ""
    line = f":{report.line}" if report.line else ""
    return f"{report.file or name}{line}: {report.message}{path}"


def _by_program(program: str, text: str, *, files: Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [program, "--files-dir", str(files)],
        input=text.encode(),
        capture_output=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )


def _checked(done: "subprocess.CompletedProcess[bytes]", program: str, name: str) -> Compiled:
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise ButaneError(f"{name}: {said}", f"correct {name}")
    return Compiled(done.stdout.decode(), program, tuple(said.splitlines()))
