"""Start something before it is needed: a login, the next session."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def started(do: Callable[[], Result]) -> Future[Result]:
    """Do it in a thread of its own; the future raises what failed.

    As a daemon: a command that ends before it needs the node does not wait for a silent one.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(do())
        except BaseException as error:  # noqa: BLE001 -- raised again where the result is read
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
