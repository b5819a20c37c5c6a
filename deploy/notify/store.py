"""Keep what was told and what waits for receivers: one file, replaced as a whole."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import ValidationError

from certs.store import locked
from deploy.errors import DeployError
from deploy.notify.plan.memory import Memory
from deploy.workstation.files import write_atomically
from deploy.workstation.state import STATE

_FOLDER = STATE / "notify"


class Store:
    """The memory of an app; its lock is held for no longer than a change takes."""

    def __init__(self, folder: Path, app: str) -> None:
        self._folder = folder / _FOLDER / app

    @property
    def file(self) -> Path:
        """The file."""
        return self._folder / "memory.json"

    def read(self) -> Memory:
        """Read what is there.

        Raises:
            DeployError: when it cannot be read.
        """
        try:
            return Memory.model_validate_json(self.file.read_bytes())
        except FileNotFoundError:
            return Memory()
        except (OSError, ValidationError) as error:
            raise DeployError(
                f"{self.file} cannot be read: {type(error).__name__}",
                "restore it, or remove it: then what it says was told is told again",
            ) from error

    def change(self, how: Callable[[Memory], Memory]) -> Memory:
        """Replace it by what `how` makes of it; return that.

        Raises:
            DeployError: when it cannot be read or written.
        """
        with self._locked("lock"):
            before = self.read()
            after = how(before)
            if after != before:
                content = after.model_dump_json(indent=1).encode()
                write_atomically(self.file, content, 0o600, folder_mode=0o700)
            return after

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Be the only one that sends what waits, until the block ends.

        Raises:
            DeployError: when the lock cannot be had.
        """
        with self._locked("sending"):
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self._folder / name))
            except OSError as error:
                raise DeployError(f"{self._folder} cannot be written: {error.strerror}") from error
            yield
