"""Verb: show a node's journal of changes."""

from deploy.app.look import looking
from deploy.console import output
from deploy.node.journal import MACHINE, AuditLine, read_journal
from deploy.project import Project

_COLUMNS = ("when", "what", "result", "release", "who", "from", "commit", "detail")


def audit(project: Project, *, lines: int, every: bool, as_json: bool) -> int:
    """Print the last changes of the app and of the machine; with `every`, of all apps.

    Return 1 when the node does not tell how it is now.
    """
    with looking(project) as remote:
        found = read_journal(remote, "-" if every else project.settings.app, lines)
        code = 1 if remote.trouble else 0
    if as_json:
        shown = [line.model_dump(mode="json", by_alias=True) for line in found]
        output.as_json({"lines": shown})
        return code
    output.table(
        f"changes on {project.settings.node_address}", _COLUMNS, [_row(line) for line in found]
    )
    return code


def _row(line: AuditLine) -> tuple[str, ...]:
    commit = line.commit[:12] + (" (dirty)" if line.dirty else "")
    when = f"{line.at:%Y-%m-%d %H:%M:%S}"
    what = line.what if line.app != MACHINE else f"{line.what} (machine)"
    return (when, what, line.result, line.release, line.who, line.address, commit, line.detail)
