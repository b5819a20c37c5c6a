"""Commands that a node carries out once, without a login: a closed list."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from deploy.errors import DeployError

Verb = Literal[
    "retry", "hold", "release", "restart", "reboot", "os-rollback", "collect", "ssh-open",
]  # fmt: skip
VERBS: tuple[Verb, ...] = get_args(Verb)
OF_AN_APP = ("retry", "hold", "release", "restart")
# A node reads so many.
MOST_COMMANDS = 64
_MOST_MINUTES = 240
_RELEASE = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,1000}={0,2}"
)


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """A command; the node carries it out only before `expires`, in seconds since 1970."""

    serial: int
    expires: int
    words: tuple[str, ...]
    who: str

    def as_json(self, node: str) -> Mapping[str, object]:
        """Write it as a part of a bundle for a node."""
        return {
            "serial": self.serial,
            "expires": self.expires,
            "node": node,
            "words": list(self.words),
            "who": self.who,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it was typed; `key` is the text of a public key."""

    verb: str
    app: str
    release: str = ""
    minutes: int = 0
    key: str = ""

    def words(self) -> tuple[str, ...]:
        """Give the command's words.

        Raises:
            DeployError: for what is no command, or lacks something.
        """
        if self.verb not in VERBS:
            raise DeployError(
                f"{self.verb!r} is no command of a node", f"choose one of {', '.join(VERBS)}"
            )
        self._refuse_idle()
        if self.verb == "ssh-open":
            return (self.verb, str(self._minutes()), *self._key())
        if self.verb == "release":
            return (self.verb, self.app, self._release())
        return (self.verb, self.app) if self.verb in OF_AN_APP else (self.verb,)

    def _refuse_idle(self) -> None:
        """Refuse options that mean nothing to the command."""
        given = {"release": self.release, "minutes": self.minutes, "key": self.key}
        meant = {"release": ("release",), "ssh-open": ("minutes", "key")}.get(self.verb, ())
        for name in (name for name, value in given.items() if value and name not in meant):
            raise DeployError(f"--{name} means nothing to {self.verb}", f"leave --{name} out")

    def _release(self) -> str:
        if not _RELEASE.fullmatch(self.release):
            raise DeployError(
                f"--release {self.release!r} is no name of a release",
                "name one that `fab releases` lists, such as --release 20300615-120000-ab12",
            )
        return self.release

    def _minutes(self) -> int:
        if not 1 <= self.minutes <= _MOST_MINUTES:
            raise DeployError(
                f"--minutes {self.minutes}: SSH can be open for 1 to {_MOST_MINUTES} minutes",
                "such as --minutes 30",
            )
        return self.minutes

    def _key(self) -> tuple[str, ...]:
        words = self.key.split()[:2]
        if not _KEY.fullmatch(" ".join(words)):
            raise DeployError(
                "--key names no public key of SSH",
                "name a file such as ~/.ssh/id_ed25519.pub, of type ssh-ed25519, ecdsa or ssh-rsa, "
                "with no options before the key",
            )
        return tuple(words)
