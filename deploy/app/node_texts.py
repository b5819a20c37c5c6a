"""Fetch the node's contents of files that change, to show a diff."""

import base64

from deploy.app.plan.text_diff import LARGEST_BYTES
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote

# The diffs of more files than this are not worth the transfer: the rest show their hashes.
_MOST = 50


def fetch_texts(remote: Remote, app: str, paths: tuple[str, ...]) -> dict[str, bytes]:
    """Fetch small text files; relative paths are project files of the release that serves.

    Raises:
        DeployError: when the node refuses.
    """
    # Names are sent a line each: a file with a line end in its name shows its hash.
    asked = [path for path in paths if "\n" not in path][:_MOST]
    if not asked:
        return {}
    lines = "".join(f"{path}\n" for path in asked).encode()
    command = Command("texts", (app, str(LARGEST_BYTES)), lines)
    answers = remote.checked(command, "reading changed files").splitlines()
    if len(answers) != len(asked):
        raise DeployError(f"{remote.name} sent {len(answers)} of {len(asked)} changed files")
    return {
        path: base64.b64decode(answer)
        for path, answer in zip(asked, answers, strict=True)
        if answer != "-"
    }
