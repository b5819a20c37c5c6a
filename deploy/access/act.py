"""Run the access scripts on a node, and record each change in its journal."""

from typing import Literal

from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.holdings import AuthorizedKey, HostKeys
from deploy.node.journal import MACHINE, audit_failures, audit_line, write_audit
from deploy.node.remote import Remote
from deploy.project import Project

HostKeyStep = Literal["list", "begin", "announce", "finish"]


def access_list(user: str) -> Command:
    """List the keys authorized for a user."""
    return Command("access-list", (user,))


def access_add(user: str, name: str, line: str) -> Command:
    """Authorize a key for a user, in a file called `name`."""
    return Command("access-add", (user, name), f"{line}\n".encode())


def access_drop(user: str, keep: str, keys: tuple[str, ...]) -> Command:
    """Remove keys of a user; refused unless `keep` (empty: any other key) stays authorized."""
    return Command("access-drop", (user, keep), "".join(f"{key}\n" for key in keys).encode())


def host_key(step: HostKeyStep) -> Command:
    """Take one step of changing the host keys; every step answers the keys that result."""
    return Command("host-key", (step,))


def ask_access(remote: Remote, user: str) -> tuple[AuthorizedKey, ...]:
    """Read the authorized keys of a user.

    Raises:
        DeployError: when the node has no such user.
    """
    answer = remote.checked(access_list(user), "listing the keys")
    return read_answer(tuple[AuthorizedKey, ...], answer, f"the SSH keys of {user}")


def ask_host_keys(remote: Remote, step: HostKeyStep = "list") -> HostKeys:
    """Take a step of changing the host keys, or only list them; return the keys that result.

    Raises:
        DeployError: when the node refuses.
    """
    answer = remote.checked(host_key(step), "reading or changing the host keys")
    return read_answer(HostKeys, answer, "the node's host keys")


def run_audited(remote: Remote, project: Project, command: Command, verb: str, detail: str) -> None:
    """Run a command and record it in the node's journal, as `detail` or as a failure.

    Raises:
        DeployError: with the node's message.
    """
    line = audit_line(project, verb, detail, app=MACHINE)
    with audit_failures(remote, line):
        remote.checked(command, verb)
    write_audit(remote, line)
