"""Fabric's @task with types; expected errors become a message and an exit code."""

import errno
import functools
import logging
import signal
import traceback
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Concatenate, ParamSpec

import click
import fabric
from fabric.connection import Connection, derive_shorthand
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from butane.errors import ButaneError
from certs.errors import CertError
from container.errors import ContainerError
from deploy.errors import DeployError
from rehearsal.errors import RehearsalError

_Options = ParamSpec("_Options")
_INTERRUPTED = 130
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_FREE_SPACE = "free space, or set IMAGE_CACHE and IMAGE_CACHE_MEGABYTES; then run it again"
# Fabric fills in the local user where -H names none; NODE_USER is meant then.
_NO_USER = "-"
_HOSTS = "write them as user@host:port, with commas between"


def task(
    **options: object,
) -> Callable[
    [Callable[Concatenate[Context, _Options], int | None]],
    Callable[Concatenate[Context, _Options], None],
]:
    """Make a function a `fab` task; it returns its exit code, None for 0."""

    def decorate(
        body: Callable[Concatenate[Context, _Options], int | None],
    ) -> Callable[Concatenate[Context, _Options], None]:
        @functools.wraps(body)
        def run(context: Context, *args: _Options.args, **kwargs: _Options.kwargs) -> None:
            code = _guarded(functools.partial(body, context, *args, **kwargs))
            if code:
                raise Exit(code=code)

        made: Callable[Concatenate[Context, _Options], None] = fabric.task(**options)(run)
        return made

    return decorate


def commands(module: ModuleType) -> Collection:
    """Collect a module's tasks; `target` can tell whether -H names a user."""
    found = Collection.from_module(module)
    found.configure({"user": _NO_USER})
    return found


def target(context: Context) -> tuple[str, int | None, str | None] | None:
    """Read the node that `fab -H user@host:port` names: address, port, user; None without -H."""
    if not isinstance(context, Connection):
        return None
    user = None if context.user == _NO_USER else str(context.user)
    return str(context.original_host), int(context.port), user


def hosts(text: str) -> list[tuple[str, int | None, str | None]]:
    """Parse a list of nodes `user@host:port,…`: address, port and user of each.

    Raises:
        DeployError: when one has no host, or a port that is not a number.
    """
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        try:
            said = derive_shorthand(one)
        except ValueError as error:
            raise DeployError(f"{one!r} is not a node: {error}", _HOSTS) from error
        if not said["host"]:
            raise DeployError(f"{one!r} is not a node: it has no host", _HOSTS)
        found.append((str(said["host"]), said["port"], said["user"]))
    return found


def _fail(message: str, hint: str) -> None:
    from deploy.console import output  # noqa: PLC0415 -- a verb loads it while the login is under way

    # `fab --debug` raises the log level; show the exception and its causes then.
    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        output.trace(traceback.format_exc())
    output.fail(message, hint)


def _interrupt(number: int, _: FrameType | None) -> None:
    """End a command on SIGTERM or SIGHUP as Ctrl-C does: a change under way is put back."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def _guarded(body: Callable[[], int | None]) -> int | None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return body()
    except (ButaneError, CertError, ContainerError, DeployError, RehearsalError) as error:
        _fail(error.message, error.hint)
        return 1
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _fail(f"local disk full or read-only: {error}", _FREE_SPACE)
        return 1
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", "run the same command again; it continues from the present state")
        return _INTERRUPTED
