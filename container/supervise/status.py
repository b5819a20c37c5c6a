"""Query a running supervisor's state; print it as a table, JSON or Prometheus text."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from container.errors import ContainerError
from container.supervise.launch import state_socket

_COLUMNS = ("name", "state", "pid", "uptime", "last_sign", "memory", "restarts")


def status(arguments: Sequence[str]) -> int:
    """Print the state: a table, or JSON with --json; exit 0 only when every worker is well."""
    words = list(arguments)
    as_json = "--json" in words
    state = read_status(_ask(_path(words), b"status\n"))
    sys.stdout.write(json.dumps(state, indent=2) + "\n" if as_json else _table(state))
    return 0 if state["state"] == "healthy" else 1


def metrics(arguments: Sequence[str]) -> int:
    """Print the figures as Prometheus text."""
    answer = _ask(_path(list(arguments)), b"GET /metrics HTTP/1.0\r\n\r\n")
    sys.stdout.write(answer.partition("\r\n\r\n")[2])
    return 0


def read_status(text: str) -> dict[str, Any]:
    """Read the supervisor's lines: state, uptime, and each worker with its restarts' reasons."""
    state: dict[str, Any] = {}
    workers: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        kind, *pairs = line.split("\t")
        facts = dict(pair.split("=", 1) for pair in pairs)
        if kind == "supervisor":
            state = {**facts, "uptime": float(facts["uptime"])}
        elif kind == "worker":
            numbers = {key: int(facts[key]) for key in ("pid", "memory", "restarts")}
            times = {key: float(facts[key]) for key in ("uptime", "last_sign")}
            workers[facts["name"]] = {**facts, **numbers, **times, "reasons": []}
        elif kind == "reason":
            workers[facts["name"]]["reasons"].append(facts["text"])
    return {**state, "workers": list(workers.values())}


def _path(words: list[str]) -> str:
    if "--socket" in words[:-1]:
        return words[words.index("--socket") + 1]
    return state_socket()


def _ask(path: str, question: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(5)
        try:
            channel.connect(path)
            channel.sendall(question)
            parts = []
            while part := channel.recv(65536):
                parts.append(part)
        except OSError as error:
            raise ContainerError(
                f"no supervisor answers at {path or 'any known place'}: {error}",
                "is it running, as this user?",
                code=os.EX_UNAVAILABLE,
            ) from error
    return b"".join(parts).decode()


def _table(state: dict[str, Any]) -> str:
    workers = state["workers"]
    rows = [_COLUMNS, *([_cell(one, column) for column in _COLUMNS] for one in workers)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    lines = [f"{state['state']}, up {state['uptime']} s"]
    lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for one in workers:
        lines += [f"{one['name']}: {reason}" for reason in one["reasons"]]
    return "\n".join(lines) + "\n"


def _cell(worker: dict[str, Any], column: str) -> str:
    value = worker[column]
    if column in {"uptime", "last_sign"}:
        return f"{value} s"
    if column == "memory":
        return f"{value / (1 << 20):.1f} MiB"
    return str(value)
