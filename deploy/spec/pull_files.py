"""Read what an app's updater is made of: scripts, PULL_KEYS, PULL_ROOT."""

from pathlib import Path

from certs.detached import public_pem, read_public
from certs.store import read
from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.carried import PULL_SCRIPTS, carried_scripts
from deploy.spec.plan.pull import PullFiles


def read_pull_files(project: Project) -> PullFiles:
    """Read the files of an app that follows a tag; nothing for another one.

    Raises:
        CertError: for what is no key that signs images.
        DeployError: for a file that is not there.
    """
    if not project.settings.follows:
        return PullFiles()
    # What is named by its digest needs no signature.
    pinned = "@" in project.settings.pull
    keys = tuple(
        public_pem(read_public(_read(path, "PULL_KEYS"), source=str(path)))
        for path in (() if pinned else project.pull_keys)
    )
    if not keys and not pinned:
        raise DeployError(
            "PULL_KEYS names no key, and the node would take any image",
            "name the file that `fab publish-key` writes, certs/publish.pub",
        )
    root = project.pull_root
    return PullFiles(carried_scripts(PULL_SCRIPTS), keys, _read(root, "PULL_ROOT") if root else b"")


def _read(path: Path, setting: str) -> bytes:
    if not path.exists():
        raise DeployError(
            f"{setting} names {path}, which is not there",
            "`fab publish-key` writes this workstation's key; with PULL_MODE=off the node follows "
            "no tag",
        )
    return read(path)
