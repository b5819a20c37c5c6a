"""Carrying out the steps of a deploy, one method a step."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import report
from deploy.archive import pack
from deploy.credentials import Credentials
from deploy.endpoint import Endpoint
from deploy.errors import DeployError
from deploy.image.export import Export
from deploy.plan import command
from deploy.plan.command import Command
from deploy.plan.files import File
from deploy.plan.release import Manifest
from deploy.plan.state import NodeState
from deploy.plan.steps import Step, Wanted
from deploy.prove import prove
from deploy.remote.bulk import send_files
from deploy.remote.connection import Target
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.tls import Pair
from deploy.transfer import Transfer

_RESTARTS_OF_A_CRASH_LOOP = 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """One release on its way to one node."""

    remote: Remote
    target: Target
    endpoint: Endpoint
    settings: Settings
    wanted: Wanted
    export: Export
    pair: Pair
    credentials: Credentials
    manifest: Manifest
    previous: str
    files_folder: Path | None
    state: NodeState
    look: Callable[[], NodeState]

    def carry_out(self, step: Step) -> None:
        """Do one step.

        Raises:
            DeployError: with what the node said.
        """
        actions = {
            "stage": self._stage,
            "image": self._image,
            "files": self._files,
            "switch": self._switch,
            "prove": self._prove,
            "finish": self._finish,
        }
        with report.step(step.summary):
            if step.kind == "seal":
                self._seal(step.credential)
            else:
                actions[step.kind]()

    def _stage(self) -> None:
        files = [File(f"root{unit.path}", unit.content, unit.mode) for unit in self.wanted.units]
        files += [
            File("tls/server.crt", self.pair.chain.pem),
            # Encrypted; the container's user, which has a number of its own, has to read it.
            File("tls/server.key.enc", self.pair.key_file),
            File("manifest.json", self.manifest.model_dump_json(indent=1).encode()),
        ]
        names = self.wanted.credentials
        self._run(command.stage(self._app, self._release, self.previous, names, pack(files)))

    def _image(self) -> None:
        Transfer(self.remote, self.target, self.settings, self.export).run(self.state, self.look)
        self._run(command.tag_image(self._app, self._release, self.wanted.image.id))

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
        self._run(command.seal(self._app, self._release, credential, value))

    def _switch(self) -> None:
        self._run(command.switch(self._app, self._release))

    def _prove(self) -> None:
        prove(
            self.endpoint,
            self.settings.health_path,
            self.wanted.certificate,
            timeout_seconds=self.settings.health_timeout_seconds,
            died=self._died,
        )

    def _died(self) -> str:
        word, restarts = self._run(Command("state", (self._app,))).split()
        if word in {"failed", "inactive"}:
            return f"the app is {word}"
        looping = int(restarts) >= _RESTARTS_OF_A_CRASH_LOOP
        return f"the app was restarted {restarts} times" if looping else ""

    def _finish(self) -> None:
        manifest = self.manifest
        audit = {
            "at": manifest.at.isoformat(timespec="seconds"),
            "app": manifest.app,
            "release": manifest.release,
            "previous": self.previous,
            "image": manifest.image_id,
            "by": manifest.by,
            "commit": manifest.commit,
            "dirty": manifest.dirty,
        }
        keep = self.settings.keep_releases
        self._run(command.finish(self._app, self._release, keep, json.dumps(audit)))

    def _run(self, wanted: Command) -> str:
        result = self.remote.run(wanted)
        if result.code:
            said = result.stderr.strip() or f"exit code {result.code}"
            raise DeployError(f"{wanted.script} failed on the node: {said}")
        return result.stdout

    @property
    def _app(self) -> str:
        return self.manifest.app

    @property
    def _release(self) -> str:
        return self.manifest.release
