"""Pass settings and compiled modules to the process that replaces this one.

Compiling the core's modules would cost that process a megabyte that it keeps; here it is gone with
this one. Both sides are the same Python, a moment apart.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec  # importlib itself would stay in the core's memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

_PREFIXES = ("container.supervise.core", "container.notify")
_NO_DOCSTRINGS = 2


class Carried:
    """An importer of modules that are in memory as code."""

    def __init__(self, modules: dict[str, tuple[CodeType, bool]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> object:
        """Find a module that was passed along."""
        if name not in self._modules:
            return None
        return ModuleSpec(name, self, is_package=self._modules[name][1])  # type: ignore[arg-type]

    def create_module(self, _spec: object) -> None:
        """Let Python create the module object."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        exec(self._modules[module.__name__][0], module.__dict__)  # noqa: S102 - our own modules


def hand_over(values: dict[str, object], workers: list[dict[str, object]]) -> int:
    """Write everything to a file for the next program; return its descriptor.

    The file is in memory and has no name: nothing shows in the command line or environment.
    """
    descriptor = os.memfd_create("supervise", 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        marshal.dump((values, workers, _compiled()), file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def take_over(descriptor: int) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Read the settings, and import the passed modules from memory."""
    with os.fdopen(descriptor, "rb") as file:
        values, workers, modules = marshal.load(file)  # noqa: S302 - our own memory file
    sys.meta_path.insert(0, Carried(modules))  # type: ignore[arg-type]  # a finder by its methods
    return values, workers


def _compiled() -> dict[str, tuple[CodeType, bool]]:
    import container.supervise.core.loop  # noqa: PLC0415 - here only to be found below
    import container.supervise.core.probe  # noqa: PLC0415, F401

    found: dict[str, tuple[CodeType, bool]] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(_PREFIXES):
            source = module.__loader__.get_source(name)  # type: ignore[union-attr]  # file or zip
            code = compile(source, module.__file__ or name, "exec", dont_inherit=True,
                           optimize=_NO_DOCSTRINGS)  # fmt: skip
            found[name] = (code, hasattr(module, "__path__"))
    return found
