"""Run the access scripts on a node, and record each change in its journal."""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Literal

from deploy.errors import DeployError
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.holdings import AuthorizedKey, HostKeys
from deploy.node.journal import MACHINE, audit_failures, audit_line, write_audit
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.spec.access_key import AccessKey, read_key
from deploy.spec.people import revoked_keys

HostKeyStep = Literal["list", "begin", "announce", "finish", "forget"]


def access_list(user: str = "") -> Command:
    """List the keys authorized for a user, by default for every user."""
    return Command("access-list", (user,) if user else ())


def access_add(user: str, name: str, line: str) -> Command:
    """Authorize a key for a user, in a file called `name`."""
    return Command("access-add", (user, name), f"{line}\n".encode())


def access_drop(user: str, drop: tuple[str, ...], keep: tuple[str, ...]) -> Command:
    """Remove lines from a user's authorized_keys files, unless no line of `keep` would be left."""
    return Command("access-drop", (user,), json.dumps({"drop": drop, "keep": keep}).encode())


def revoke(remote: Remote, project: Project, *, but: Collection[AccessKey] = ()) -> None:
    """Make sshd refuse the retired keys, and every certificate for them or signed by them.

    Raises:
        DeployError: when the node refuses.
    """
    command = Command("access-revoke", (), revoked_keys(project, but=but))
    remote.checked(command, "making sshd refuse the retired keys")


def host_key(step: HostKeyStep) -> Command:
    """Take one step of changing the host keys; every step answers the keys that result."""
    return Command("host-key", (step,))


def ask_access(remote: Remote, user: str = "") -> tuple[AuthorizedKey, ...]:
    """Read the authorized keys of a user, by default of every user.

    Raises:
        DeployError: when the node has no such user.
    """
    answer = remote.checked(access_list(user), "listing the keys")
    return read_answer(tuple[AuthorizedKey, ...], answer, f"the SSH keys of {user or 'all users'}")


def drop_keys(
    remote: Remote, user: str, keys: Iterable[AccessKey], keep: AccessKey | None
) -> Command:
    """Read a user's authorized keys, and decide which lines go: every line of these keys.

    Raises:
        DeployError: when `keep` would not be left (None: a key without restrictions).
    """
    blobs, now = {key.blob for key in keys}, datetime.now(UTC)
    lines = [(one.line, read_key(one.line)) for one in ask_access(remote, user)]
    drop = tuple(line for line, key in lines if key and key.blob in blobs)
    others = [(line, key) for line, key in lines if key and key.blob not in blobs]
    if keep:
        left = [
            line for line, key in others if key.holder == keep.blob and not key.has_expired(now)
        ]
        why = "the key to keep is not authorized; nothing was removed"
    else:
        left = [line for line, key in others if key.logs_in(now)]
        why = "no other key would be left; nothing was removed"
    if not left:
        raise DeployError(
            why,
            "keys that have expired, have restrictions or are certificate authorities do not count",
        )
    return access_drop(user, drop, tuple(left))


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
