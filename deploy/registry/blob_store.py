"""Remember which compressed blob a layer became, so that it is compressed and sent only once."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import hex_of
from deploy.registry.plan.manifest import Descriptor

_MOST_PLACES = 8
_MOST_BLOBS = 5000


class Known(BaseModel):
    """A layer's blob, and the repositories that it was sent to, the latest last."""

    model_config = ConfigDict(frozen=True)

    blob: Descriptor
    places: list[str] = Field(default_factory=list)

    def other(self, registry: str, name: str) -> str:
        """Name another repository of the registry that has the blob; empty for none."""
        others = [one for one in self.places if one.startswith(f"{registry}/") and one != name]
        return others[-1].removeprefix(f"{registry}/") if others else ""


@dataclass(frozen=True, slots=True)
class BlobStore:
    """What layers became in one format, beside the cache of layers."""

    cache: Cache
    form: str

    def load(self, diff_id: str) -> Known | None:
        """Read what a layer became; None when that is not known."""
        try:
            os.utime(self._path(diff_id))
            return Known.model_validate_json(self._path(diff_id).read_bytes())
        except (OSError, ValidationError):
            return None

    def add(self, diff_id: str, blob: Descriptor, name: str) -> None:
        """Note that a repository has a layer as this blob; publishing works without the note."""
        known = self.load(diff_id)
        places = known.places if known and known.blob == blob else []
        places = [*(one for one in places if one != name), name][-_MOST_PLACES:]
        with contextlib.suppress(OSError), self.cache.temporary_folder() as place:
            (place / "blob").write_text(Known(blob=blob, places=places).model_dump_json())
            self._path(diff_id).parent.mkdir(parents=True, exist_ok=True)
            (place / "blob").replace(self._path(diff_id))
            self._trim()

    def _trim(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in files[:-_MOST_BLOBS]:
            file.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self.cache.folder / "blobs" / self.form.replace(":", "-")

    def _path(self, diff_id: str) -> Path:
        return self._folder / hex_of(diff_id)
