"""Units as systemd sees them on the node: a file with its drop-ins."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.spec.lint.finding import Finding
from deploy.spec.lint.unit_text import Setting, read_unit, seconds, words

QUADLETS = (".container", ".pod", ".volume", ".network", ".kube", ".build", ".image")
_SUFFIXES = (*QUADLETS, ".service", ".socket", ".timer", ".path")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit; settings of its file first, then those of its drop-ins, in the order they count.

    `whole` is false when only a drop-in is known, and the unit's own file comes from elsewhere.
    """

    name: str
    file: str
    settings: tuple[Setting, ...]
    strays: tuple[Finding, ...]
    whole: bool = True

    @property
    def kind(self) -> str:
        """The suffix of its name, such as container."""
        return self.name.rpartition(".")[2]

    def all(self, section: str, key: str) -> tuple[Setting, ...]:
        """Every value of a list setting; an empty assignment resets the list."""
        found: list[Setting] = []
        for setting in self.settings:
            if (setting.section, setting.key) == (section, key):
                found = [*found, setting] if setting.value else []
        return tuple(found)

    def last(self, section: str, key: str) -> Setting | None:
        """The last value, which is in effect; None where the key is not set."""
        found = self.all(section, key)
        return found[-1] if found else None

    def word(self, section: str, key: str, usual: str = "") -> str:
        """The text in effect, or a default."""
        found = self.last(section, key)
        return found.value if found else usual

    def seconds(self, section: str, key: str) -> float | None:
        """The time in effect; None where it is not set or not a time."""
        found = self.last(section, key)
        return seconds(found.value) if found else None

    def environment(self) -> Mapping[str, Setting]:
        """Each variable of the process or container; the setting's value is the variable's."""
        section = "Container" if self.kind == "container" else "Service"
        found: dict[str, Setting] = {}
        for setting in self.all(section, "Environment"):
            for word in words(setting.value):
                name, _, value = word.replace("%%", "%").partition("=")
                found[name] = Setting(section, name, value, setting.file, setting.line)
        return found


def read_units(files: Mapping[str, str]) -> tuple[Unit, ...]:
    """Make units of texts given by path: sorted by path, those with only a drop-in last."""
    units = [_unit(path, files) for path in sorted(files) if is_unit(path)]
    taken = {folder for unit in units for name in _names(unit.name) for folder in _folders(name)}
    lone = (path for path in sorted(files) if is_drop_in(path) and _folder(path) not in taken)
    return (*units, *(_lone(path, files[path]) for path in lone))


def is_unit(path: str) -> bool:
    """Check whether a path is a unit's own file."""
    return path.endswith(_SUFFIXES)


def is_drop_in(path: str) -> bool:
    """Check whether a path is a drop-in of a unit."""
    return path.endswith(".conf") and _folder(path).endswith(
        tuple(f"{suffix}.d" for suffix in _SUFFIXES) + tuple(f"{one[1:]}.d" for one in _SUFFIXES)
    )


def _unit(path: str, files: Mapping[str, str]) -> Unit:
    name = posixpath.basename(path)
    settings: list[Setting] = []
    strays: list[Finding] = []
    for file in (path, *_drop_ins(name, files)):
        found, wrong = read_unit(files[file], file)
        settings += found
        strays += wrong
    return Unit(name, path, tuple(settings), tuple(strays))


def _lone(path: str, text: str) -> Unit:
    """Make a unit of which only a drop-in is known."""
    return Unit(_folder(path).removesuffix(".d"), path, *read_unit(text, path), whole=False)


def _drop_ins(name: str, files: Mapping[str, str]) -> Iterator[str]:
    """Find a unit's drop-ins; of the same names, the more specific folder's counts."""
    for one in _names(name):
        chosen: dict[str, str] = {}
        for folder in _folders(one):
            for path in sorted(files):
                if path.endswith(".conf") and _folder(path) == folder:
                    chosen[posixpath.basename(path)] = path
        yield from (chosen[base] for base in sorted(chosen))


def _names(name: str) -> tuple[str, ...]:
    """List a unit's names: its own, then that of the service that Quadlet generates from it."""
    return (name, f"{name.rpartition('.')[0]}.service") if name.endswith(QUADLETS) else (name,)


def _folder(path: str) -> str:
    return posixpath.basename(posixpath.dirname(path))


def _folders(name: str) -> Iterator[str]:
    """List the folders of a unit's drop-ins: of its type, of each prefix, then its own."""
    stem, _, suffix = name.rpartition(".")
    yield f"{suffix}.d"
    for place, letter in enumerate(stem):
        if letter == "-":
            yield f"{stem[: place + 1]}.{suffix}.d"
    yield f"{name}.d"
