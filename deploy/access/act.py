"""The commands for a node: a function for each script."""

from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.holdings import AuthorizedKey, HostKeys
from deploy.node.remote import Remote


def access_list(user: str) -> Command:
    """List the keys that let a user in."""
    return Command("access-list", (user,))


def access_add(user: str, name: str, line: str) -> Command:
    """Let in one more key, by a file of its own."""
    return Command("access-add", (user, name), f"{line}\n".encode())


def access_drop(user: str, keep: str, keys: tuple[str, ...]) -> Command:
    """Let keys in no more; `keep` (or any other, when empty) has to be let in afterwards."""
    return Command("access-drop", (user, keep), "".join(f"{key}\n" for key in keys).encode())


def ask_access(remote: Remote, user: str) -> tuple[AuthorizedKey, ...]:
    """Ask for the lines that let a user in.

    Raises:
        DeployError: when the node has no such user.
    """
    answer = remote.checked(access_list(user), "listing the keys")
    return read_answer(tuple[AuthorizedKey, ...], answer, f"the SSH keys of {user}")


def change_host_keys(remote: Remote, verb: str) -> HostKeys:
    """Take a step of changing the host keys, or `list` them; answer the keys there are then.

    Raises:
        DeployError: when the node refuses.
    """
    answer = remote.checked(Command("host-key", (verb,)), "reading or changing the host keys")
    return read_answer(HostKeys, answer, "the node's host keys")
