"""Fetch what a node holds in files that are to change, for a diff."""

import base64

from deploy.app.plan.text_diff import LARGEST_BYTES
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote

# A plan with more changed files than this is not read line by line; the rest show their hashes.
_MOST = 50


def fetch_texts(remote: Remote, app: str, paths: tuple[str, ...]) -> dict[str, bytes]:
    """Fetch small files by path, relative ones from the release that serves.

    Raises:
        DeployError: when the node refuses.
    """
    # A name with a line end has no place in the question; its hash is shown.
    asked = [path for path in paths if "\n" not in path][:_MOST]
    if not asked:
        return {}
    lines = "".join(f"{path}\n" for path in asked).encode()
    wanted = Command("texts", (app, str(LARGEST_BYTES)), lines)
    answers = remote.checked(wanted, "reading changed files").splitlines()
    if len(answers) != len(asked):
        raise DeployError(f"{remote.name} answers {len(answers)} of {len(asked)} files asked for")
    return {
        path: base64.b64decode(answer)
        for path, answer in zip(asked, answers, strict=True)
        if answer != "-"
    }
