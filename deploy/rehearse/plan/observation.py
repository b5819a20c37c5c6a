"""What a container of an image did while it was tried on a node."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from deploy.node.answer import Count, OneLine, Real, Value

_LOOPBACK = ("127.", "[::1]")
_Port = Annotated[int, Field(ge=1, le=65535)]
_Few, _Many = Field(max_length=100), Field(max_length=5000)
_Status = Annotated[int, Field(ge=0, le=999)]


class Reply(Value):
    """What a port answered to a request; h2c is HTTP/2 without TLS."""

    port: _Port
    scheme: Literal["http", "h2c", "https"]
    path: Annotated[str, Field(pattern=r"^/[a-z/]{0,60}$")]
    status: _Status

    @property
    def is_good(self) -> bool:
        """Whether it is what a health check accepts."""
        return 200 <= self.status < 300  # noqa: PLR2004 -- HTTP's success


class Written(Value):
    """A path that the container has written; `new` where the image does not have it."""

    path: OneLine
    folder: bool
    new: bool


class ImageConfig(Value):
    """What the image's config says of its containers."""

    user: OneLine = ""
    workdir: OneLine = ""
    program: OneLine = ""
    volumes: Annotated[tuple[OneLine, ...], _Few] = ()
    ports: Annotated[tuple[OneLine, ...], _Few] = ()


class Observation(Value):
    """What a container did: whether it still runs, what it said, where it listens, what answers.

    `seconds` is how long it took to answer or to end.
    """

    running: bool
    exit_code: Count
    seconds: Real
    log: str
    listening: Annotated[tuple[OneLine, ...], _Few]
    replies: Annotated[tuple[Reply, ...], _Few]
    written: Annotated[tuple[Written, ...], _Many]
    image: ImageConfig

    @property
    def reachable(self) -> tuple[int, ...]:
        """The ports that others than the container itself reach."""
        found = {port for address, port in self._sockets() if not address.startswith(_LOOPBACK)}
        return tuple(sorted(found))

    def replies_at(self, port: int) -> tuple[Reply, ...]:
        """List what a port answered."""
        return tuple(one for one in self.replies if one.port == port)

    def _sockets(self) -> Iterator[tuple[str, int]]:
        for one in self.listening:
            address, _, port = one.rpartition(":")
            if port.isdecimal():
                yield address, int(port)
