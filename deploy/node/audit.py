"""Verb: show a node's journal of changes."""

from deploy.console import output
from deploy.node import session
from deploy.node.journal import MACHINE, AuditLine, read_journal
from deploy.project import Project

_COLUMNS = ("when", "what", "result", "release", "who", "from", "commit", "detail")


def audit(project: Project, *, lines: int, every: bool, as_json: bool) -> None:
    """Print the last changes of the app and of the machine; with `every`, of all apps."""
    with session.open_session(project) as remote:
        found = read_journal(remote, "-" if every else project.settings.app, lines)
    if as_json:
        shown = [line.model_dump(mode="json", by_alias=True) for line in found]
        output.as_json({"lines": shown})
        return
    output.table(
        f"changes on {project.settings.node_address}", _COLUMNS, [_row(line) for line in found]
    )


def _row(line: AuditLine) -> tuple[str, ...]:
    commit = line.commit[:12] + (" (dirty)" if line.dirty else "")
    when = f"{line.at:%Y-%m-%d %H:%M:%S}"
    what = line.what if line.app != MACHINE else f"{line.what} (machine)"
    return (when, what, line.result, line.release, line.who, line.address, commit, line.detail)
