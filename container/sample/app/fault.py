"""Throw a switch in a running sample: `python3 -m container.sample.app.fault jobs hang`."""

from __future__ import annotations

import os
import sys

from container.sample.app.faults import FAULTS, flag_file

_WORKERS = ("web", "jobs")
_WORDS = 2


def main(arguments: list[str]) -> int:
    """Write the switch, which the worker reads within a second; EX_USAGE for an unknown one."""
    fault = arguments[1].partition("=")[0] if len(arguments) == _WORDS else ""
    if fault not in FAULTS or arguments[0] not in _WORKERS:
        sys.stderr.write(f"usage: fault {'|'.join(_WORKERS)} {'|'.join(FAULTS)}[=SECONDS]\n")
        return os.EX_USAGE
    path = flag_file(arguments[0], os.environ)
    draft = path.with_suffix(".new")
    draft.write_text(arguments[1], encoding="utf-8")
    draft.replace(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
