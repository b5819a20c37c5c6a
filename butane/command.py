"""The command line: translation with the flags of the `butane` program; `explain` and `diff`."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from butane.diff import run as run_diff
from butane.errors import ButaneError
from butane.explain import run as run_explain
from butane.source_text import read_source
from butane.translate.report import Report
from butane.translate.translation import STRICT, Translation, translate
from butane.translate.versions import VERSIONS

_COLOR = ("--color", "--colour")
_RESET = "\033[0m"
_BLUE = "\033[1;34m"
_KINDS = {"error": "\033[1;31m", "warning": "\033[1;33m", "info": "\033[1;36m"}
_MARKS = re.compile(r"(?m)^ *(-->)(?= )|^ ( *\d+)(?= \|)|^ +\|\ +(\^+)(?= )")
_EPILOG = """other commands:
  python -m butane explain FILE        list what a config puts on a machine
  python -m butane diff OLD NEW        list what changes from one config to another
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code: 0 success, 1 error, 2 wrong usage."""
    words = list(arguments)
    command = _COMMANDS.get(words[0]) if words else None
    try:
        return command(words[1:]) if command else _translate(words)
    except ButaneError as error:
        sys.stderr.write(f"{error.message}\n")
        if error.hint:
            sys.stderr.write(f"{error.hint}\n")
        return 1


def _translate(words: list[str]) -> int:
    options = _parser().parse_args(["--color=always" if x in _COLOR else x for x in words])
    source = read_source(options.input or options.source)
    name = options.input or options.source or "<stdin>"
    done = translate(
        source,
        files=options.files_dir,
        name=name,
        strict=options.strict,
        pretty=options.pretty,
    )
    _report(done, options)
    if done.ignition is None:
        said = (
            done.failure if done.failure == STRICT else f"Error translating config: {done.failure}"
        )
        sys.stderr.write(f"{said}\n")
        return 1
    if not options.check:
        _write(done.ignition, options.output)
    return 0


def _report(done: Translation, options: argparse.Namespace) -> None:
    shown = [each for each in done.reports if each.line or each.message != done.failure]
    if options.raw_errors:
        sys.stderr.write("".join(f"{each}\n" for each in shown))
        return
    color = _wants_color(options.color)
    sys.stderr.write("\n".join(f"{_render(each, color=color)}\n" for each in shown))


def _wants_color(choice: str) -> bool:
    if choice in ("always", "yes"):
        return True
    return choice == "auto" and "NO_COLOR" not in os.environ and sys.stderr.isatty()


def _render(report: Report, *, color: bool) -> str:
    """Format a report, with its excerpt of the source where there is one."""
    if not report.excerpt:
        return str(report)
    kind = f"{_KINDS[report.kind]}{report.kind}{_RESET}" if color else report.kind
    path = f"[{report.path}]" if report.path not in ("", "$") else ""
    shown = _MARKS.sub(_paint, report.excerpt) if color else report.excerpt
    return f"{kind}{path}:\n{shown}"


def _paint(match: re.Match[str]) -> str:
    start, end = (place - match.start() for place in match.span(match.lastindex or 0))
    whole = match[0]
    return f"{whole[:start]}{_BLUE}{whole[start:end]}{_RESET}{whole[end:]}"


def _write(ignition: str, output: str | None) -> None:
    if output is None:
        sys.stdout.buffer.write(ignition.encode())  # UTF-8 whatever the locale
        sys.stdout.buffer.flush()
        return
    try:
        Path(output).write_text(ignition, encoding="utf-8")
    except OSError as error:
        raise ButaneError(f"failed to open {output}: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m butane",
        description="Translate Butane (variant fcos) to Ignition.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("source", nargs="?", metavar="input-file", help="a Butane file; standard input without it")
    add("-c", "--check", action="store_true", help="check config without producing output")
    add("-d", "--files-dir", type=Path, help="allow embedding local files from this directory")
    add("-o", "--output", help="write to output file instead of stdout")
    add("-p", "--pretty", action="store_true", help="output formatted json")
    add("-r", "--raw", action="store_true", help="force Ignition output, which fcos always is")
    add("-s", "--strict", action="store_true", help="fail on any warning")
    add("--raw-errors", action="store_true", help="show every report in one line")
    add("--color", "--colour", default="auto", help='color output: "auto", "always", or "never"')
    add("-V", "--version", action="version", version=_version(), help="print the version and exit")
    add("-D", "--debug", action="store_true", help=argparse.SUPPRESS)
    add("--input", help=argparse.SUPPRESS)
    return parser


def _version() -> str:
    return f"corefab butane, for variant fcos {VERSIONS[0]} to {VERSIONS[-1]}"


_COMMANDS: dict[str, Callable[[list[str]], int]] = {"explain": run_explain, "diff": run_diff}
