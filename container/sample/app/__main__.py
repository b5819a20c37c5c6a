"""Run the sample: `python3 -m container.sample.app`."""

from __future__ import annotations

import os
import sys

from container.errors import ContainerError
from container.sample.app.service import Sample
from container.sample.app.settings import read_settings


def main() -> int:
    """Serve until SIGTERM; an expected error is one line and its own exit code."""
    try:
        return Sample(read_settings(os.environ)).run()
    except ContainerError as error:
        sys.stderr.write(f"sample: {error}\n")
        return error.code


if __name__ == "__main__":
    sys.exit(main())
