"""Read what updaters are made of: scripts, PULL_KEYS, PULL_ROOT."""

from collections.abc import Iterable
from pathlib import Path

from certs.detached import public_pem, read_public
from certs.store import read
from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.carried import BUNDLE_SCRIPTS, PULL_SCRIPTS, carried_scripts
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
    return _read_files(project, PULL_SCRIPTS, pinned="@" in project.settings.pull)


def read_bundle_files(project: Project) -> PullFiles:
    """Read the files of the updater of the node's bundle; nothing without PULL_NODE.

    Raises:
        CertError: for what is no key that signs.
        DeployError: for a file that is not there.
    """
    if not project.settings.follows_bundle:
        return PullFiles()
    return _read_files(project, BUNDLE_SCRIPTS, pinned=False)


def _read_files(project: Project, names: Iterable[str], *, pinned: bool) -> PullFiles:
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
    return PullFiles(carried_scripts(names), keys, _read(root, "PULL_ROOT") if root else b"")


def _read(path: Path, setting: str) -> bytes:
    if not path.exists():
        raise DeployError(
            f"{setting} names {path}, which is not there",
            "`fab publish-key` writes this workstation's key; with PULL_MODE=off the node follows "
            "no tag",
        )
    return read(path)
