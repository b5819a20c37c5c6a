"""Format reports for a terminal."""

import os
import re
import sys

from butane.translate.report import Report

_RESET = "\033[0m"
_BLUE = "\033[1;34m"
_KINDS = {"error": "\033[1;31m", "warning": "\033[1;33m", "info": "\033[1;36m"}
_MARKS = re.compile(r"(?m)^ *(-->)(?= )|^ ( *\d+)(?= \|)|^ +\|\ +(\^+)(?= )")


def wants_color(choice: str) -> bool:
    """Decide whether to color, by the flag, `NO_COLOR` and the terminal."""
    if choice in ("always", "yes"):
        return True
    return choice == "auto" and "NO_COLOR" not in os.environ and sys.stderr.isatty()


def render(report: Report, *, color: bool) -> str:
    """Format a report, with its excerpt of the source where there is one."""
    if not report.excerpt:
        return str(report)
    kind = f"{_KINDS[report.kind]}{report.kind}{_RESET}" if color else report.kind
    path = f"[{report.path}]" if report.path not in ("", "$") else ""
    shown = _MARKS.sub(_paint, report.excerpt) if color else report.excerpt
    return f"{kind}{path}:\n{shown}"


def _paint(match: re.Match[str]) -> str:
    start, end = match.span(match.lastindex or 0)
    whole = match[0]
    offset = match.start()
    before, word, after = (
        whole[: start - offset],
        whole[start - offset : end - offset],
        whole[end - offset :],
    )
    return f"{before}{_BLUE}{word}{_RESET}{after}"
