"""One deploy or rollback while it is carried out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deploy.app.planner import Artifacts
from deploy.errors import reason
from deploy.node.command import Command
from deploy.node.endpoint import Endpoint
from deploy.node.journal import AuditLine
from deploy.node.release import Manifest, Proof, proof_of
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.notify.plan.trace import Span
from deploy.project import Project
from deploy.receipt.plan.receipt import Signed
from deploy.settings.model import Settings
from deploy.spec.plan.addresses import other


@dataclass(frozen=True, slots=True)
class Execution:
    """A deploy or rollback: its node, the new release, and the node's state before it.

    `endpoints` is where the new release answers, `switch` how it takes over. `what` names the
    change in the node's journal. `artifacts` is None for a rollback, which sends nothing.
    `receipt` is None without RECEIPT_KEY. `spans` are those of the steps that have ended.
    """

    remote: Remote
    project: Project
    endpoints: tuple[Endpoint, ...]
    manifest: Manifest
    before: NodeState
    switch: str
    what: str = "deploy"
    artifacts: Artifacts | None = None
    receipt: Signed | None = None
    spans: list[Span] = field(default_factory=list, compare=False)

    @property
    def app(self) -> str:
        """The app."""
        return self.manifest.app

    @property
    def release(self) -> str:
        """The new release."""
        return self.manifest.release

    @property
    def slot(self) -> str:
        """The slot that the new release starts in."""
        return other(self.before.slot)

    @property
    def settings(self) -> Settings:
        """The app's settings."""
        return self.project.settings

    @property
    def proof(self) -> Proof:
        """How the new release is checked."""
        return self.manifest.proof or proof_of(self.settings)

    @property
    def audit_line(self) -> AuditLine:
        """The line about this change in the node's journal."""
        manifest = self.manifest
        return AuditLine(
            at=manifest.at,
            app=manifest.app,
            what=self.what,
            who=manifest.by,
            release=manifest.release,
            previous=self.before.release,
            image=manifest.image_id,
            commit=manifest.commit,
            dirty=manifest.dirty,
        )

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Note when the block began and ended, and why it failed."""
        began, problem = time.time_ns(), ""
        try:
            yield
        except BaseException as error:
            problem = reason(error)
            raise
        finally:
            self.spans.append(Span(name, began, time.time_ns(), problem))

    def sent(self) -> Artifacts:
        """Return the artifacts of a deploy.

        Raises:
            ValueError: for a rollback, whose steps need none.
        """
        if self.artifacts is None:
            raise ValueError("a rollback has no artifacts")
        return self.artifacts

    def run(
        self, doing: str, script: str, *arguments: str, stdin: bytes = b"", hint: str = ""
    ) -> str:
        """Run a script for the app on the node and return its output.

        Raises:
            DeployError: `DOING failed on NODE: …`, with the node's error.
        """
        return self.remote.checked(Command(script, (self.app, *arguments), stdin), doing, hint)
