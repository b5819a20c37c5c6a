"""Small charts as inline SVG: changes on a line of time, durations as bars, a part of a whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

from deploy.console.output import count
from deploy.node.journal import AuditLine
from deploy.overview.plan.document import Document
from deploy.overview.plan.fleet import stamp

_WIDTH, _HEIGHT = 600, 40
_MIDDLE = _HEIGHT / 2
_EDGE = 10
_BAR, _GAP, _MOST_BARS = 14, 4, 30
_METER_WIDTH, _METER_HEIGHT = 120, 10
_DAY = "%Y-%m-%d"
_SHORTEST = timedelta(days=1)


def timeline(
    document: Document, parent: ET.Element, lines: Sequence[AuditLine], now: datetime
) -> None:
    """Draw changes from the first one to now: circles for those that succeeded, else crosses."""
    begins = min(*(line.at for line in lines), now - _SHORTEST)
    span = (now - begins).total_seconds()
    failed = sum(line.result == "failed" for line in lines)
    figure = document.add(parent, "figure")
    label = f"{count(len(lines), 'change')} since {stamp(begins, _DAY)}, {failed} failed"
    drawn = _svg(document, figure, label, _WIDTH, _HEIGHT)
    document.add(
        drawn, "line", class_="axis", x1="0", x2=str(_WIDTH), y1=str(_MIDDLE), y2=str(_MIDDLE)
    )
    for line in sorted(lines, key=lambda one: one.result == "failed"):
        share = min(max((line.at - begins).total_seconds() / span, 0), 1)
        mark = _mark(document, drawn, _EDGE + share * (_WIDTH - 2 * _EDGE), line.result == "failed")
        document.add(mark, "title", f"{stamp(line.at)}: {line.what} {line.result} by {line.who}")
    ends = document.add(figure, "figcaption", class_="ends")
    document.add(ends, "span", stamp(begins, _DAY))
    document.add(ends, "span", label)
    document.add(ends, "span", stamp(now, _DAY))


def bars(document: Document, parent: ET.Element, named: Sequence[tuple[str, float]]) -> None:
    """Draw the seconds of deploys as bars, the oldest first."""
    shown = named[-_MOST_BARS:]
    most = max((seconds for _, seconds in shown), default=0) or 1
    label = f"seconds of {count(len(shown), 'deploy')}, at most {most:.1f}"
    figure = document.add(parent, "figure", class_="small")
    width = len(shown) * (_BAR + _GAP)
    drawn = _svg(document, figure, label, width, _HEIGHT)
    for number, (name, seconds) in enumerate(shown):
        height = max(seconds / most * _HEIGHT, 1)
        bar = document.add(
            drawn, "rect", class_="bar", x=str(number * (_BAR + _GAP)), y=f"{_HEIGHT - height:.1f}",
            width=str(_BAR), height=f"{height:.1f}",
        )  # fmt: skip
        document.add(bar, "title", f"{name}: {seconds:.1f} s")
    document.add(figure, "figcaption", label)


def meter(document: Document, parent: ET.Element, label: str, share: float, level: str) -> None:
    """Draw a part of a whole; `level` is good, warning or bad."""
    width, height = str(_METER_WIDTH), str(_METER_HEIGHT)
    drawn = _svg(document, parent, label, _METER_WIDTH, _METER_HEIGHT)
    document.add(drawn, "rect", class_="whole", width=width, height=height, rx="3")
    filled = f"{min(max(share, 0), 1) * _METER_WIDTH:.1f}"
    document.add(drawn, "rect", class_=f"part {level}", width=filled, height=height, rx="3")


def _svg(document: Document, parent: ET.Element, label: str, width: int, height: int) -> ET.Element:
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    return document.add(parent, "svg", role="img", aria_label=label, **size)


def _mark(document: Document, drawn: ET.Element, x: float, failed: bool) -> ET.Element:  # noqa: FBT001
    if not failed:
        return document.add(drawn, "circle", class_="good", cx=f"{x:.1f}", cy=str(_MIDDLE), r="5")
    arm = 6
    top, bottom = _MIDDLE - arm, _MIDDLE + arm
    path = f"M{x - arm:.1f} {top}L{x + arm:.1f} {bottom}M{x - arm:.1f} {bottom}L{x + arm:.1f} {top}"
    return document.add(drawn, "path", class_="bad", d=path)
