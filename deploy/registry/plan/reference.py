"""Where an image is in a registry: `registry/name:tag`."""

import re
from dataclasses import dataclass, replace
from typing import Self

from deploy.errors import DeployError

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# Tags of signatures; an image under one would replace a signature.
_SIGNATURE = re.compile(r"sha256-[0-9a-f]{64}.*")
_DEFAULT_TAG = "latest"


@dataclass(frozen=True, slots=True)
class Reference:
    """A tag of a repository: `registry.example.org:5000/shop/www:live`."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split the value of PULL, which its type has checked."""
        registry, _, rest = text.partition("/")
        repository, _, tag = rest.partition(":")
        return cls(registry, repository, tag or _DEFAULT_TAG)

    @property
    def name(self) -> str:
        """The repository with its registry, without a tag."""
        return f"{self.registry}/{self.repository}"

    def with_tag(self, tag: str) -> Self:
        """Name another tag of the same repository.

        Raises:
            DeployError: when it cannot be a tag of an image.
        """
        if not _TAG.fullmatch(tag) or _SIGNATURE.fullmatch(tag):
            raise DeployError(
                f"{tag!r} cannot be a tag of an image",
                "use letters, digits, '.', '_' and '-', 128 at most, such as live or staging",
            )
        return replace(self, tag=tag)

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"
