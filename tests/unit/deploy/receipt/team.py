"""Two operators with SSH keys of their own, and a node that keeps their receipts."""

import base64
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from deploy.node.command import Command
from deploy.node.release import Manifest
from deploy.project import Project
from deploy.receipt.make import Origin, make_receipt
from deploy.receipt.plan.receipt import Signed
from deploy.receipt.store import folder_of, keep
from tests.unit.deploy.examples import manifest, settings
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.ssh_server import new_identity

OPERATORS = ("ann", "ben")


@dataclass
class Team:
    """The folder that the operators share, and what lies on the node."""

    folder: Path
    remote: FakeRemote
    stored: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    releases: list[Manifest] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in OPERATORS:
            new_identity(self.folder / name)
        lines = (
            f"{name} {(self.folder / name).with_suffix('.pub').read_text()}\n" for name in OPERATORS
        )
        (self.folder / "certs").mkdir()
        (self.folder / "certs/allowed_signers").write_text("".join(lines))
        self.remote.answers |= {"receipts": self._answer, "receipts-keep": self._keep}

    def project(self, key: str = "", **values: object) -> Project:
        """Make the project as an operator has it."""
        own = {"NODE_ADDRESS": "web1", "RECEIPT_KEY": key or None}
        return Project(self.folder, settings(**own | values))

    def make(self, operator: str, release: str) -> Signed:
        """Make a receipt, which is nowhere yet."""
        made = manifest(release=release, by=f"{operator}@desk")
        before = self.releases[-1].release if self.releases else ""
        signed = make_receipt(self.remote, self.project(operator), made, Origin("deploy", before))
        assert signed
        return signed

    def deploy(self, operator: str, release: str) -> Signed:
        """Make a receipt, and keep it here and on the node."""
        signed = self.make(operator, release)
        keep(self.project(), signed)
        self.stored[release] = (signed.content, signed.signature)
        self.releases.append(manifest(release=release, by=f"{operator}@desk"))
        return signed

    def file(self, release: str) -> Path:
        """Name the file of a receipt here."""
        return folder_of(self.project()) / f"{release}.json"

    def _answer(self, command: Command) -> str:
        names = sorted(self.stored)
        every = command.arguments[1] == "all"
        return json.dumps(
            {
                "receipts": [
                    {
                        "release": name,
                        "content": base64.b64encode(self.stored[name][0]).decode(),
                        "signature": base64.b64encode(self.stored[name][1]).decode(),
                    }
                    for name in (names if every else names[-1:])
                ],
                "releases": [
                    {
                        "release": one.release,
                        "manifest": one.model_dump(mode="json"),
                        "serves": one is self.releases[-1],
                        "failed": False,
                        "unfinished": False,
                    }
                    for one in (self.releases[-3:] if every else ())
                ],
            }
        )

    def _keep(self, command: Command) -> str:
        with tarfile.open(fileobj=io.BytesIO(command.stdin)) as archive:
            files = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        content = {name: file.read() for name, file in files.items() if file}
        for name, text in content.items():
            if name.endswith(".json"):
                self.stored[name.removesuffix(".json")] = (text, content[f"{name}.sig"])
        return ""
