"""Show the log of `fab --debug` and the traceback of a bug without control characters."""

import logging
import sys
import threading
import traceback
from types import TracebackType

from deploy.console.visible import visible


class _Visible(logging.Formatter):
    """Format a line of the log as another formatter does; a host may have written parts of it."""

    def __init__(self, usual: logging.Formatter) -> None:
        super().__init__()
        self._usual = usual

    def format(self, record: logging.LogRecord) -> str:
        return visible(self._usual.format(record))


def escape_log() -> None:
    """Let every handler of the log that is there write control characters as escapes."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Visible(handler.formatter or logging.Formatter()))


def escape_tracebacks() -> None:
    """Print an unexpected exception's traceback, of any thread, with escapes."""
    sys.excepthook = _show
    threading.excepthook = lambda given: _show(given.exc_type, given.exc_value, given.exc_traceback)


def _show(
    kind: type[BaseException], error: BaseException | None, where: TracebackType | None
) -> None:
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, where))))
