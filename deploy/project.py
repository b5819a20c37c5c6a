"""The operator's folder with the settings of one instance; every path in the folder."""

from dataclasses import dataclass
from pathlib import Path

from deploy.settings.model import Settings

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
    def image_cache(self) -> Path:
        """The cache of image layers; several projects may share it."""
        return self._resolve(self.settings.image_cache)

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
