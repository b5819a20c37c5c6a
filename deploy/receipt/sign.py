"""Sign receipts, and verify their signatures, by OpenSSH's own program."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.errors import DeployError
from deploy.receipt.plan.receipt import Signed
from deploy.workstation.programs import ProgramError, Start, run

# What a signature is for: one that was made for git, or for files, is none of a receipt.
NAMESPACE = "corefab-receipt"
# Someone may have to type a passphrase, or to touch a key.
_PATIENCE_SECONDS = 120
_SECONDS = 20
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_LINES = 4


def sign(content: bytes, key: Path) -> bytes:
    """Sign a receipt with an SSH key: a file, or one of the agent's by its public half.

    Raises:
        DeployError: when the key cannot be used.
    """
    words = ("ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE)
    start = Start(stdin=content, lines=_LINES, prints=True)
    try:
        return run(words, seconds=_PATIENCE_SECONDS, start=start)
    except ProgramError as error:
        said = "; ".join(line.strip() for line in error.message.splitlines()[1:])
        raise DeployError(
            f"signing the receipt with {key} failed: {said or error.message}. "
            "Nothing was changed on the node",
            "a key of the agent has to be there and unlocked: `ssh-add -l` shows it, `ssh-add` "
            "adds it, `ssh-add -X` unlocks the agent; RECEIPT_KEY names its file or its .pub file",
        ) from error


def on_security_key(key: Path) -> bool:
    """Tell whether a key is one of a security key, which waits to be touched."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    return public.is_file() and public.read_bytes().startswith(b"sk-")


@dataclass(frozen=True, slots=True)
class Signers:
    """A file that says whose key is whose, as ssh-keygen reads it (ALLOWED SIGNERS there)."""

    file: Path

    def require(self) -> None:
        """Require the file.

        Raises:
            DeployError: when it is not there.
        """
        if not self.file.is_file():
            raise DeployError(
                f"{self.file} is not there, which says whose signatures count",
                "write a line for each operator: NAME, a space, and what is in their .pub file; "
                "RECEIPT_SIGNERS names another file",
            )

    def signer(self, one: Signed, at: datetime) -> tuple[str, str]:
        """Find who signed a receipt at a time; else say what is wrong with its signature.

        Raises:
            ProgramError: when ssh-keygen is not installed.
        """
        when = f"-Overify-time={at.astimezone():%Y%m%d%H%M%S}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "signature")
            file.write_bytes(one.signature)
            by = _said("find-principals", (when, "-s", str(file), "-f", str(self.file)))
            name = by.splitlines()[0] if by else ""
            allowed = (when, "-f", str(self.file), "-I", name, "-s", str(file), "-n", NAMESPACE)
            if name and _said("verify", allowed, one.content):
                return name, ""
            return "", self._problem(file, one.content)

    def _problem(self, signature: Path, content: bytes) -> str:
        """Tell a key that does not count from a receipt that was changed."""
        said = _said("check-novalidate", ("-s", str(signature), "-n", NAMESPACE), content)
        if not said:
            return "its signature does not fit: it was changed"
        key = _FINGERPRINT.search(said)
        return (
            f"it is signed with the key {key[0] if key else '?'}, which {self.file.name} does not "
            "name for that time"
        )


def _said(what: str, words: Sequence[str], content: bytes = b"") -> str:
    """Run ssh-keygen; return what it prints, nothing where it refuses."""
    try:
        answer = run(
            ("ssh-keygen", "-Y", what, *words), seconds=_SECONDS, start=Start(stdin=content)
        )
    except ProgramError as error:
        if error.code is None:
            raise
        return ""
    return answer.decode(errors="replace").strip()
