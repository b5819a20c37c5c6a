"""A change of the keys of a machine, written into its journal of changes."""

from pathlib import Path

from deploy.node.command import Command
from deploy.node.journal import audit_failures, machine_line, write_audit
from deploy.node.remote import Remote


def change(remote: Remote, folder: Path, wanted: Command, what: str, detail: str) -> str:
    """Run a command that has to succeed; it is written down on the node, a failure as well.

    Raises:
        DeployError: with what the node said.
    """
    line = machine_line(folder, what, detail)
    with audit_failures(remote, line):
        said = remote.checked(wanted, what)
    write_audit(remote, line)
    return said
