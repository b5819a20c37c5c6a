"""Start here: `python3 supervise.pyz …`, or `python3 -m container.supervise …`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and "/" in __file__ and ".pyz" not in __file__:
    # Started by its path to become the core: the folder above the package is not known then.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))  # noqa: PTH120


def main(arguments: list[str]) -> int:
    """Run the core, query a running one, or launch workers; return the exit code."""
    if arguments[:1] == ["--core"]:
        # Nothing else is imported on this path: what is, stays in memory.
        from container.supervise.carried import take_over  # noqa: PLC0415

        values, workers = take_over(int(arguments[1]))
        from container.supervise.core.loop import run  # noqa: PLC0415
        from container.supervise.core.settings import Settings  # noqa: PLC0415

        return run(Settings(values, workers))
    from container.errors import ContainerError  # noqa: PLC0415

    try:
        return _front(arguments)
    except ContainerError as error:
        sys.stderr.write(f"supervise: {error}\n")
        return error.code


def _front(arguments: list[str]) -> int:
    if arguments[:1] not in (["status"], ["metrics"], ["key"]):
        _heed_signals()
    from container.supervise.command_line import parse  # noqa: PLC0415
    from container.supervise.launch import launch, renew_key  # noqa: PLC0415
    from container.supervise.status import metrics, status  # noqa: PLC0415

    if arguments[:1] == ["status"]:
        return status(arguments[1:])
    if arguments[:1] == ["metrics"]:
        return metrics(arguments[1:])
    if arguments[:1] == ["key"]:
        renew_key()
        return 0
    launch(parse(arguments, os.environ.get("SUPERVISE_SET", "").split()))
    return os.EX_SOFTWARE


def _heed_signals() -> None:
    """Exit on SIGTERM before any worker runs; block the other signals until the core runs.

    The kernel drops signals without a handler for process 1, and starting takes a while.
    """
    import signal  # noqa: PLC0415

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    waiting = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH)
    signal.pthread_sigmask(signal.SIG_BLOCK, waiting)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
