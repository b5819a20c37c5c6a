"""The options of `supervise` and its TOML file, all checked before anything is started."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from container.errors import ContainerError
from container.supervise.specification import KEYS, worker

_EPILOG = """
modes: --sd-notify (under systemd), --watchdog (on its own), neither: the command itself (debugging)
worker keys for --set and [[worker]]: {keys}
environment: SUPERVISE_SET, the same as --set, separated by spaces
also: supervise status [--json] [--socket PATH], supervise metrics, supervise key
"""


@dataclass(frozen=True)
class Wanted:
    """The parsed options; `mode` is sd-notify, watchdog or exec."""

    mode: str
    workers: list[dict[str, object]]
    stop: float
    socket: str
    tls: bool
    password_in_environment: bool


def parse(arguments: Sequence[str], settings: Sequence[str] = ()) -> Wanted:
    """Read options and files; one ContainerError (EX_CONFIG) has all problems.

    `settings` count like --set, after all of those: a unit may give them in SUPERVISE_SET.
    """
    given = _parser().parse_args(arguments)
    problems: list[str] = []
    given.set += settings
    tables, stop = _tables(given, problems)
    workers = [worker(table, where, problems) for where, table in tables]
    names = [one["name"] for one in workers]
    problems += [f"worker {name!r} is there twice" for name in {*names} if names.count(name) > 1]
    if not workers:
        problems.append("no worker: give a command after --, --worker or --config")
    mode = "sd-notify" if given.sd_notify else "watchdog" if given.watchdog else "exec"
    if mode == "exec" and len(workers) > 1:
        problems.append("several workers need --sd-notify or --watchdog")
    if problems:
        raise ContainerError("; ".join(problems), code=os.EX_CONFIG)
    # Where a proxy ends TLS, the container is told a port for plain HTTP and none for HTTPS.
    tls = given.tls and ("HTTPS_PORT" in os.environ or "PORT" not in os.environ)
    return Wanted(mode, workers, stop, given.socket, tls, given.pass_in_environment)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ContainerError(message, "supervise --help lists the options", code=os.EX_CONFIG)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="supervise",
        description="Keep an app's processes running and healthy.",
        epilog=_EPILOG.format(keys=", ".join(KEYS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--sd-notify", action="store_true", help="tell systemd how the workers are")
    mode.add_argument("--watchdog", action="store_true", help="supervise without systemd")
    parser.add_argument("--config", metavar="FILE", help="a TOML file with [[worker]] tables")
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "COMMAND"), action="append",
                        default=[], help="a worker and its command line")  # fmt: skip
    parser.add_argument("--set", metavar="[NAME.]KEY=VALUE", action="append", default=[],
                        help="a worker's policy; without NAME of every worker")  # fmt: skip
    parser.add_argument("--stop", type=float, metavar="SECONDS",
                        help="for all workers to stop, below podman's own 10 (8)")  # fmt: skip
    parser.add_argument("--socket", metavar="PATH", default="", help="where status is asked")
    parser.add_argument("--tls", action="store_true",
                        help="decrypt the TLS key into memory first, unless a proxy ends TLS: "
                        "then PORT is set, and not HTTPS_PORT")  # fmt: skip
    parser.add_argument("--pass-in-environment", action="store_true",
                        help="also put the key's password into CERT_PASS")  # fmt: skip
    parser.add_argument("command", nargs="*", metavar="-- COMMAND", help="a single worker, `main`")
    return parser


def _tables(
    given: argparse.Namespace, problems: list[str]
) -> tuple[list[tuple[str, dict[str, object]]], float]:
    found = _read_file(given.config) if given.config else {}
    listed = found.get("worker", [])
    assert isinstance(listed, list)  # noqa: S101 - _read_file has seen to it
    tables = [(f"{given.config}: worker {number}", dict(table))
              for number, table in enumerate(listed, 1)]  # fmt: skip
    tables += [(f"--worker {name}", {"name": name, "command": line})
               for name, line in given.worker]  # fmt: skip
    if given.command:
        tables.append(("the command", {"name": "main", "command": list(given.command)}))
    for setting in given.set:
        _apply(setting, tables, problems)
    stop = given.stop if given.stop is not None else found.get("stop", 8.0)
    if isinstance(stop, (int, float)) and not isinstance(stop, bool) and 0 < stop < float("inf"):
        return tables, float(stop)
    problems.append(f"stop = {stop!r}: seconds, more than 0")
    return tables, 8.0


def _apply(setting: str, tables: list[tuple[str, dict[str, object]]], problems: list[str]) -> None:
    path, equals, value = setting.partition("=")
    name, dot, key = path.rpartition(".")
    chosen = [table for _, table in tables if not dot or table.get("name") == name]
    if not equals or not chosen:
        problems.append(f"--set {setting}: KEY=VALUE or NAME.KEY=VALUE of a worker that is there")
    for table in chosen:
        table[key] = value


def _read_file(path: str) -> dict[str, object]:
    """Read workers from a TOML file; ContainerError (EX_CONFIG) names the place of a mistake."""
    if sys.version_info < (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:2])
        raise ContainerError(
            f"{path} cannot be read: Python {found} has no TOML reader (3.11 has)",
            "give the workers with --worker NAME COMMAND and --set NAME.KEY=VALUE",
            code=os.EX_CONFIG,
        )
    import tomllib  # noqa: PLC0415 - not there in 3.9 and 3.10

    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = tomllib.load(file)
    except OSError as error:
        raise ContainerError(f"{path}: {error.strerror}", code=os.EX_NOINPUT) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ContainerError(f"{path}: {error}", code=os.EX_CONFIG) from error
    wrong = [key for key in found if key not in {"stop", "worker"}]
    listed = found.get("worker", [])
    if wrong or not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        keys = ", ".join(wrong) or "worker"
        raise ContainerError(
            f"{path}: {keys} is not understood",
            "a file has [[worker]] tables, and above them stop = SECONDS",
            code=os.EX_CONFIG,
        )
    return found
