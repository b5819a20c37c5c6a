"""Metrics in Prometheus' text format: read what a node says, and write that of several nodes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deploy.console.visible import visible
from deploy.errors import DeployError

Labels = Mapping[str, str]
_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_LABEL = re.compile(rf'({_NAME})="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)')
_SAMPLE = re.compile(
    rf'(?P<name>{_NAME})(?:\{{(?P<labels>(?:[^"\\}}]|"(?:[^"\\]|\\.)*")*)\}})? '
    r"(?P<value>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|[-+]?Inf|NaN)"
)
_ABOUT = re.compile(rf"# (?P<word>HELP|TYPE) (?P<name>{_NAME}) (?P<text>.*)")
_KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}
_PART = re.compile(r"_(?:bucket|sum|count)$")
_END = "# EOF"
_ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value at the time of reading, as its text."""

    name: str
    labels: Labels
    value: str


@dataclass(slots=True)
class Family:
    """The samples of one metric, with its type and what it means."""

    name: str
    kind: str = "untyped"
    help: str = ""
    samples: list[Sample] = field(default_factory=list)


def read_metrics(text: str) -> tuple[Family, ...]:
    """Read metrics.

    Raises:
        DeployError: for a line that is none.
    """
    found: dict[str, Family] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line in {"", _END}:
            continue
        if about := _ABOUT.fullmatch(line):
            _describe(found.setdefault(about["name"], Family(about["name"])), about)
        elif (sample := _sample(line)) is not None:
            name = _family(sample.name, found)
            found.setdefault(name, Family(name)).samples.append(sample)
        else:
            raise DeployError(
                f"line {number} of the metrics is none: {line[:80]}",
                "look at `fab metrics` of this node alone, and at /run/corefab/metrics.d there",
            )
    return tuple(found.values())


def joined(nodes: Mapping[str, Iterable[Family]]) -> str:
    """Write the metrics of several nodes, each with a label that names its node."""
    every: dict[str, Family] = {}
    for node, families in nodes.items():
        for one in families:
            whole = every.setdefault(one.name, Family(one.name, one.kind, one.help))
            whole.samples += (
                Sample(sample.name, {**sample.labels, "node": node}, sample.value)
                for sample in one.samples
            )
    return written(every.values())


def written(families: Iterable[Family]) -> str:
    """Write metrics; a family without samples is left out.

    The last line is a comment to Prometheus, and what OpenMetrics wants at the end.
    """
    lines: list[str] = []
    for one in families:
        if one.samples:
            if one.help:
                lines.append(f"# HELP {one.name} {_escaped(one.help)}")
            lines += [f"# TYPE {one.name} {one.kind}", *map(_line, one.samples)]
    return "\n".join([*lines, _END]) + "\n"


def _describe(family: Family, about: re.Match[str]) -> None:
    if about["word"] == "HELP":
        family.help = _unescaped(about["text"])
    elif about["text"] in _KINDS:
        family.kind = about["text"]


def _sample(line: str) -> Sample | None:
    found = _SAMPLE.fullmatch(line)
    if not found:
        return None
    rest, labels = found["labels"] or "", {}
    while rest:
        label = _LABEL.match(rest)
        if not label:
            return None
        labels[label[1]] = _unescaped(label[2])
        rest = rest[label.end() :]
    return Sample(found["name"], labels, found["value"])


def _family(name: str, known: Mapping[str, Family]) -> str:
    """Say to which family a sample belongs: a histogram's have names with an ending."""
    whole = _PART.sub("", name)
    found = known.get(whole)
    return whole if found and found.kind in {"histogram", "summary"} else name


def _line(sample: Sample) -> str:
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels.items())
    return f"{sample.name}{{{pairs}}} {sample.value}" if pairs else f"{sample.name} {sample.value}"


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r'\\[\\n"]', lambda one: _ESCAPED[one[0]], text)
