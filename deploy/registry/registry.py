"""One repository of a registry, by the OCI distribution specification."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from urllib.parse import urlencode

from deploy.errors import DeployError
from deploy.image.layers.oci import digest
from deploy.registry.exchange import Answer, Request
from deploy.registry.plan.manifest import MANIFEST_TYPES, Descriptor, Manifest
from deploy.registry.plan.reference import Reference
from deploy.registry.transport import MOST_BYTES, Transport, UnreachableError, absolute

_TRIES = 3
_BINARY = {"Content-Type": "application/octet-stream"}
_HINT = "run the same command again; if it stays so, ask who runs the registry"
_DENIED = "the account of PUBLISH_LOGIN may not write to this repository"


class Registry:
    """A repository; `base` is the registry's URL, such as `https://registry.example.org`."""

    def __init__(self, transport: Transport, base: str, reference: Reference) -> None:
        self.name, self.host = reference.name, reference.registry
        self._transport = transport
        self._url = f"{base}/v2/{reference.repository}"

    def manifest(self, name: str) -> Manifest | None:
        """Read a manifest by tag or digest; None where there is none.

        Raises:
            DeployError: for what is no manifest, or has another digest.
        """
        accept = {"Accept": ", ".join(MANIFEST_TYPES)}
        answer = self._send(Request("GET", f"{self._url}/manifests/{name}", accept))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        self._expect(answer, HTTPStatus.OK, f"reading {name}")
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        found = Manifest(answer.body, kind)
        if kind not in MANIFEST_TYPES:
            raise self._wrong(f"{name} is no manifest but {kind[:80]!r}")
        if name.startswith("sha256:") and found.digest != name:
            raise self._wrong(f"what it gives as {name} has the digest {found.digest}")
        return found

    def has_manifest(self, name: str) -> bool:
        """Tell whether there is a manifest with this digest."""
        accept = {"Accept": ", ".join(MANIFEST_TYPES)}
        return self._has(f"manifests/{name}", accept)

    def put_manifest(self, name: str, manifest: Manifest) -> None:
        """Write a manifest under a tag or its digest.

        Raises:
            DeployError: when the registry refuses it, or took something else.
        """
        kind = {"Content-Type": manifest.media_type}
        url = f"{self._url}/manifests/{name}"
        answer = self._send(Request("PUT", url, kind, manifest.content))
        self._expect(answer, HTTPStatus.CREATED, f"writing {name}", manifest.digest)

    def has_blob(self, blob: str) -> bool:
        """Tell whether there is a blob with this digest."""
        return self._has(f"blobs/{blob}", {})

    def read_blob(self, blob: Descriptor) -> bytes | None:
        """Read a small blob; None where there is none.

        Raises:
            DeployError: when it is large, or has another digest.
        """
        if blob.size > MOST_BYTES:
            raise self._wrong(f"{blob.digest} is larger than {MOST_BYTES} bytes")
        answer = self._send(Request("GET", f"{self._url}/blobs/{blob.digest}"))
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        self._expect(answer, HTTPStatus.OK, f"reading {blob.digest}")
        if digest(answer.body) != blob.digest:
            raise self._wrong(f"what it gives as {blob.digest} has another digest")
        return answer.body

    def put_blob(self, blob: Descriptor, data: bytes) -> None:
        """Write a small blob, unless it is there."""
        if self.has_blob(blob.digest):
            return
        url = self._place_of(self._start({}), blob)
        answer = self._send(Request("PUT", url, _BINARY, data))
        self._expect(answer, HTTPStatus.CREATED, f"writing {blob.digest}", blob.digest)

    def mount(self, blob: Descriptor, other: str) -> bool:
        """Take a blob from another repository of the registry; tell whether that was possible."""
        return self._start({"mount": blob.digest, "from": other}).status == HTTPStatus.CREATED

    def upload(self, blob: Descriptor, file: Path, on_bytes: Callable[[int], None]) -> None:
        """Write a blob from a file, from its beginning if it is interrupted.

        Raises:
            DeployError: when it cannot be written.
        """
        for _ in range(_TRIES - 1):
            with suppress(UnreachableError):
                self._upload(blob, file, on_bytes)
                return
        self._upload(blob, file, on_bytes)

    def _upload(self, blob: Descriptor, file: Path, on_bytes: Callable[[int], None]) -> None:
        started = self._start({})
        counted = _Counted(on_bytes)
        url = self._place_of(started, blob)
        try:
            request = Request("PUT", url, _BINARY, file=lambda: _CountedFile(file, counted))
            self._expect(
                self._send(request), HTTPStatus.CREATED, f"writing {blob.digest}", blob.digest
            )
        except BaseException:
            counted.set(0)
            raise

    def _start(self, asked: dict[str, str]) -> Answer:
        """Begin an upload; 201 says that nothing needs to be sent."""
        query = f"?{urlencode(asked)}" if asked else ""
        answer = self._send(Request("POST", f"{self._url}/blobs/uploads/{query}"))
        if not (asked and answer.status == HTTPStatus.CREATED):
            self._expect(answer, HTTPStatus.ACCEPTED, "beginning an upload")
        return answer

    def _place_of(self, started: Answer, blob: Descriptor) -> str:
        """Give the URL for the bytes of a blob, which the registry chooses."""
        url = absolute(started)
        if not url:
            raise self._wrong("it does not say where to send a blob")
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'digest': blob.digest})}"

    def _has(self, place: str, headers: dict[str, str]) -> bool:
        answer = self._send(Request("HEAD", f"{self._url}/{place}", headers))
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        self._expect(answer, HTTPStatus.OK, f"looking for {place}")
        return True

    def _send(self, request: Request) -> Answer:
        return self._transport.send(request)

    def _expect(self, answer: Answer, status: HTTPStatus, doing: str, stored: str = "") -> None:
        """Check that the registry did what it was asked, and with the same bytes."""
        if answer.status != status:
            hint = _DENIED if answer.status == HTTPStatus.FORBIDDEN else _HINT
            raise DeployError(f"{doing} in {self.name} failed: {answer.said}", hint)
        named = answer.headers.get("Docker-Content-Digest")
        if stored and named and named != stored:
            raise self._wrong(f"it names {stored} {named[:80]!r}")

    def _wrong(self, text: str) -> DeployError:
        return DeployError(f"{self.name} answers wrongly: {text}", _HINT)


@dataclass(slots=True)
class _Counted:
    """Reports how many bytes were sent, and takes them back when they have to be sent again."""

    on_bytes: Callable[[int], None]
    count: int = 0

    def set(self, count: int) -> None:
        """Set the number of bytes that were sent."""
        self.on_bytes(count - self.count)
        self.count = count


class _CountedFile(FileIO):
    """A file that counts what is read of it, from its beginning."""

    def __init__(self, file: Path, counted: _Counted) -> None:
        super().__init__(file)
        self._counted = counted
        counted.set(0)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read and count."""
        data = super().read(-1 if size is None else size)
        self._counted.set(self._counted.count + len(data))
        return data
