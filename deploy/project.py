"""The operator's folder with the settings of one instance; every path in the folder."""

from dataclasses import dataclass
from pathlib import Path

from deploy.settings.model import OPERATOR, PUBLISH_KEY, Settings

# Templates are the tool's own; what the operator adds lies in OVERLAYS of the operator's folder.
TEMPLATES = Path(__file__).parents[1] / "butane/templates"
OVERLAYS = Path("butane/overlays")
_BUILD = Path("build")
VM = _BUILD / "vm"
MEDIA = _BUILD / "media"


@dataclass(frozen=True, slots=True)
class Project:
    """One instance: the operator's folder, and the settings read from it."""

    folder: Path
    settings: Settings

    @property
    def known_hosts(self) -> Path:
        """The file of pinned SSH host keys."""
        return self._resolve(self.settings.known_hosts)

    @property
    def identity(self) -> Path | None:
        """The private key to log in with; None without IDENTITY_FILE."""
        return self._optional(self.settings.identity_file)

    @property
    def files(self) -> Path | None:
        """The folder of project files; None without PROJECT_FILES."""
        return self._optional(self.settings.project_files)

    @property
    def acme_root(self) -> Path | None:
        """The root certificate of a private ACME server; None without ACME_ROOT."""
        return self._optional(self.settings.acme_root)

    @property
    def pull_root(self) -> Path | None:
        """The root certificate of a registry's private authority; None without PULL_ROOT."""
        return self._optional(self.settings.pull_root)

    @property
    def otlp_root(self) -> Path | None:
        """The root certificate of an OTLP endpoint's private authority; None without OTLP_ROOT."""
        return self._optional(self.settings.otlp_root)

    @property
    def pull_keys(self) -> tuple[Path, ...]:
        """The public keys of which one must have signed an image."""
        return tuple(self._resolve(Path(name)) for name in self.settings.pull_keys)

    @property
    def publish_key(self) -> Path:
        """The public half of the key that signs images here."""
        return self._resolve(PUBLISH_KEY)

    @property
    def next_publish_key(self) -> Path:
        """The public half of the key that will replace it."""
        return self.publish_key.with_name("publish-next.pub")

    @property
    def operator(self) -> Path:
        """The certificates to which nodes encrypt what they tell their operators."""
        return self._resolve(OPERATOR)

    @property
    def node_certificate(self) -> Path:
        """The pinned certificate of the node's own key."""
        return self.folder / "certs/nodes" / f"{self.settings.node_address}.crt"

    @property
    def receipts(self) -> Path:
        """The receipts of every app; git keeps them, so that every operator has them."""
        return self.folder / "receipts"

    @property
    def receipt_key(self) -> Path | None:
        """The SSH key that signs receipts here; None without RECEIPT_KEY."""
        return self._optional(self.settings.receipt_key)

    @property
    def receipt_signers(self) -> Path:
        """The file that says whose signatures on receipts count."""
        return self._resolve(self.settings.receipt_signers)

    @property
    def image_cache(self) -> Path:
        """The cache of image layers; several projects may share it."""
        return self._resolve(self.settings.image_cache)

    @property
    def proxy(self) -> Path:
        """The operator's own directives and error pages for the proxy."""
        return self.folder / "proxy"

    @property
    def access(self) -> Path:
        """The folder of people's public keys, a file each."""
        return self.folder / "certs/access"

    @property
    def material(self) -> Path:
        """The certificates and keys of every instance."""
        return self.folder / "certs/material"

    @property
    def media(self) -> Path:
        """Installation media, their host keys and downloaded images."""
        return self.folder / MEDIA

    @property
    def build(self) -> Path:
        """Generated files: machine specs, media, cloud files."""
        return self.folder / _BUILD

    @property
    def butane(self) -> Path:
        """The instance's Butane file."""
        return self.build / f"{self.settings.app}.bu"

    @property
    def ignition(self) -> Path:
        """The instance's Ignition file."""
        return self.build / f"{self.settings.app}.ign"

    @property
    def vm(self) -> Path:
        """The virtual machine's disk, console and sockets."""
        return self.folder / VM

    def _optional(self, path: Path | None) -> Path | None:
        return self._resolve(path) if path else None

    def _resolve(self, path: Path) -> Path:
        return self.folder / path.expanduser()
