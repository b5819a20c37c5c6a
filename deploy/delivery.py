"""Carrying out the steps of a deploy, one method a step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import report
from deploy.archive import pack
from deploy.credentials import Credentials
from deploy.image.export import Export
from deploy.plan import command
from deploy.plan.files import File
from deploy.plan.state import NodeState
from deploy.plan.steps import Step, Wanted
from deploy.remote.bulk import send_files
from deploy.remote.connection import Target
from deploy.switching import Switching
from deploy.tls import Pair
from deploy.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Delivery:
    """One release on its way to one node, and then to its slot."""

    switching: Switching
    target: Target
    wanted: Wanted
    export: Export
    pair: Pair
    credentials: Credentials
    files_folder: Path | None
    state: NodeState
    look: Callable[[], NodeState]
    what: str = "deploy"

    def carry_out(self, step: Step) -> None:
        """Do one step.

        Raises:
            DeployError: with what the node said.
        """
        actions = {"stage": self._stage, "image": self._image, "files": self._files}
        with report.step(step.summary):
            if step.kind == "seal":
                self._seal(step.credential)
            elif step.kind in actions:
                actions[step.kind]()
            else:
                self.switching.carry_out(step.kind)

    def _stage(self) -> None:
        files = [File(f"root{unit.path}", unit.content, unit.mode) for unit in self.wanted.units]
        files += [
            File("tls/server.crt", self.pair.chain.pem),
            # Encrypted; the container's user, which has a number of its own, has to read it.
            File("tls/server.key.enc", self.pair.key_file),
            File("manifest.json", self.switching.manifest.model_dump_json(indent=1).encode()),
        ]
        names, previous = self.wanted.credentials, self.switching.previous
        self.switching.run(command.stage(self._app, self._release, previous, names, pack(files)))

    def _image(self) -> None:
        settings, remote = self.switching.settings, self.switching.remote
        Transfer(remote, self.target, settings, self.export).run(self.state, self.look)
        image_id = self.export.image.id
        self.switching.run(command.tag_image(self._app, self._release, image_id))

    def _files(self) -> None:
        if self.files_folder and self.wanted.files:
            home = f"/var/lib/{self._app}"
            send_files(
                self.target,
                self.files_folder,
                self.wanted.files,
                into=f"{home}/releases/{self._release}/files",
                like=f"{home}/current/files",
            )

    def _seal(self, credential: str) -> None:
        value = self.credentials.value(credential).encode()
        self.switching.run(command.seal(self._app, self._release, credential, value))

    @property
    def _app(self) -> str:
        return self.switching.app

    @property
    def _release(self) -> str:
        return self.switching.release
