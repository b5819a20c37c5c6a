"""Fabric's @task, typed: options from a dataclass, a group, errors as one message."""

import dataclasses
import errno
import functools
import inspect
import logging
import os
import re
import signal
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Concatenate, Literal, ParamSpec, TypeAlias, get_args

import click
import fabric
from invoke.context import Context
from invoke.exceptions import Exit

from butane.errors import ButaneError
from certs.errors import CertError
from container.errors import ContainerError
from deploy.errors import DeployError
from deploy.settings.secrets import take_secrets
from rehearsal.errors import RehearsalError

Group: TypeAlias = Literal[
    "prepare and install",
    "deploy and go back",
    "look",
    "proxy",
    "certificates and credentials",
    "access",
    "image",
    "registry",
    "rehearsal",
]
_Options = ParamSpec("_Options")
_INTERRUPTED = 130
_OTHERS_WRITE = 0o002
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_FREE_SPACE = (
    "free some space, or set IMAGE_CACHE and IMAGE_CACHE_MEGABYTES; then run the command again"
)
_REPEATABLE = "; can be given several times"
# Options that mean the same in every command.
_HELP = {
    "name": "the instance, as in .env.NAME",
    "json": "write JSON, for programs",
    "wait": "how many seconds to wait while another change of the app is running",
}


def task(
    group: Group,
    *,
    fields: type[Any] | None = None,
    help: Mapping[str, str] | None = None,  # noqa: A002 -- Fabric's name
    bare: str = "",
    **options: Any,
) -> Callable[[Callable[Concatenate[Context, _Options], int | None]], Callable[..., None]]:
    """Make a function a `fab` task; what it returns is the exit code, None for 0.

    Each field of the dataclass `fields` is an option, annotated with its help; the function gets
    the values as `wanted`. `bare` is the option that a word right after the command stands for:
    a positional argument of Fabric's cannot be left out.
    """

    def decorate(
        body: Callable[Concatenate[Context, _Options], int | None],
    ) -> Callable[..., None]:
        signature = _signature(body, fields)
        names = signature.parameters

        @functools.wraps(body)
        def run(context: Context, **given: Any) -> None:
            def start() -> int | None:
                _check_given(given, signature)
                taken = _with_numbers(given, signature)
                taken = _with_fields(taken, fields) if fields else taken
                return body(context, **taken)  # type: ignore[call-arg]

            if code := _guarded(start):
                raise Exit(code=code)

        run.__signature__ = _numbers_as_text(signature)  # type: ignore[attr-defined]
        made = fabric.task(
            help=_help(signature, fields) | dict(help or {}),
            iterable=_repeatable(fields),
            # An option whose name begins with h would take `-h`, which is help.
            auto_shortflags=fields is None and not any(name[0] == "h" for name in names),
            **options,
        )(run)
        made.group, made.bare = group, bare
        return made  # type: ignore[no-any-return]

    return decorate


def _signature(body: Callable[..., object], fields: type[Any] | None) -> inspect.Signature:
    """Make the signature that Fabric reads; the fields of a dataclass replace `wanted`."""
    signature = inspect.signature(body)
    if fields is None:
        return signature
    own = [one for name, one in signature.parameters.items() if name != "wanted"]
    return signature.replace(parameters=[*own, *map(_parameter, dataclasses.fields(fields))])


def _parameter(field: dataclasses.Field[Any]) -> inspect.Parameter:
    # Fabric makes an empty list of None, for an option that can be given several times.
    default = None if isinstance(field.default, tuple) else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default)


def _numbers_as_text(signature: inspect.Signature) -> inspect.Signature:
    """Let Fabric take numbers as text: it shows a traceback when a word is no number."""
    return signature.replace(
        parameters=[
            one.replace(default=str(one.default)) if type(one.default) is int else one
            for one in signature.parameters.values()
        ]
    )


def _check_given(given: Mapping[str, Any], signature: inspect.Signature) -> None:
    """Refuse a missing option that has no default; Fabric passes None for it."""
    for name, value in given.items():
        if value is None and signature.parameters[name].default is inspect.Parameter.empty:
            raise DeployError(
                f"--{name.replace('_', '-')} is missing", "`fab --help COMMAND` says what to give"
            )


def _with_numbers(given: Mapping[str, Any], signature: inspect.Signature) -> dict[str, Any]:
    """Parse the options that are whole numbers; so many days from today are still a date."""
    found = dict(given)
    for name, text in given.items():
        if type(signature.parameters[name].default) is not int:
            continue
        if not re.fullmatch(r"[0-9]{1,6}", str(text)):
            option = name.replace("_", "-")
            raise DeployError(f"--{option} is {text!r}", "give a whole number from 0 to 999999")
        found[name] = int(text)
    return found


def _repeatable(fields: type[Any] | None) -> list[str]:
    """List the fields that hold a tuple: such an option can be given several times."""
    every = dataclasses.fields(fields) if fields else ()
    return [one.name for one in every if isinstance(one.default, tuple)]


def _help(signature: inspect.Signature, fields: type[Any] | None) -> dict[str, str]:
    found = {name: text for name, text in _HELP.items() if name in signature.parameters}
    for one in dataclasses.fields(fields) if fields else ():
        text = get_args(one.type)[1]
        found[one.name] = text + (_REPEATABLE if isinstance(one.default, tuple) else "")
    return found


def _with_fields(given: Mapping[str, Any], fields: type[Any]) -> dict[str, Any]:
    """Replace the options that are fields by `wanted`, which holds their values."""
    names = {one.name for one in dataclasses.fields(fields)} & given.keys()
    values = {name: given[name] for name in names}
    values |= {name: tuple(values.get(name) or ()) for name in _repeatable(fields)}
    others = {name: value for name, value in given.items() if name not in names}
    return {**others, "wanted": fields(**values)}


def _guarded(body: Callable[[], int | None]) -> int | None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # Whatever the umask, other users do not write what a command writes.
    os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)
    take_secrets()
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
        _fail("interrupted", "run the same command again; it continues with what is there")
        return _INTERRUPTED


def _interrupt(number: int, _: FrameType | None) -> None:
    """Treat SIGTERM and SIGHUP like Ctrl-C: a change that was begun is undone."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def _fail(message: str, hint: str) -> None:
    from deploy.console import output  # noqa: PLC0415 -- a verb loads it while the login is under way

    # `fab --debug` makes invoke log everything; show the exception and its causes then.
    if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
        output.trace(traceback.format_exc())
    output.fail(message, hint)
