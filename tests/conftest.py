"""The seal: a test starts no program and connects nowhere unless its marker says that it does."""

import ipaddress
import os
import shutil
import sys
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from certs import keyfile

FEW_ROUNDS = 1000
# `make test` tries more: it chooses `thorough`. See `examples`.
for profile in ("quick", "thorough"):
    hypothesis.settings.register_profile(profile, deadline=None, max_examples=100)
hypothesis.settings.load_profile("quick")

_OUTSIDE = {"install", "node", "parity", "program", "stress", "vm", "selinux"}


class SealBroken(BaseException):
    """A sealed test reached outside its own process; no `except Exception` may hide it."""


class _Seal:
    """What the running test may do: nothing outside, the loopback interface, anything."""

    # Here and not in the module, whose names are gone when the interpreter ends; this hook is not.
    _starts = frozenset(
        {"subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system"}
    )
    _connects = frozenset(
        {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"}
    )

    programs = True
    connections: Callable[[object], bool] = staticmethod(lambda _: True)

    def watch(self, event: str, arguments: tuple[object, ...]) -> None:
        """Judge one event of Python's audit hooks; they see what no patch of a name would."""
        # `ssh -G` only reads files.
        reads = event == "subprocess.Popen" and arguments[1][:2] == ["ssh", "-G"]  # type: ignore[index]
        if event in self._starts and not self.programs and not reads:
            raise SealBroken(f"{event} {arguments[:2]}: mark the test `program` or `node`")
        if event in self._connects:
            address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
            if not self.connections(address):
                raise SealBroken(f"{event} {address}: mark the test `loopback` or `program`")


_seal = _Seal()
sys.addaudithook(_seal.watch)


@pytest.fixture(autouse=True)
def sealed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep a test inside this process, except for what its markers allow."""
    marks = {mark.name for mark in request.node.iter_markers()}
    if not marks & _OUTSIDE:
        _seal.programs = False
        _seal.connections = _is_loopback if "loopback" in marks else lambda _: False
    yield
    _seal.programs, _seal.connections = _Seal.programs, _Seal.connections


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Protect key files with few rounds of PBKDF2: only this process, so no `fab` that it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "ROUNDS", FEW_ROUNDS)
        yield


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a program; skip where it is missing, but fail in CI, which installs it."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing, and CI must have it")
        return found or pytest.skip(f"{name} is not installed")

    return find


def _is_loopback(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, str | bytes):
        name = os.fsdecode(host)
        return name == "localhost" or name.startswith("/") or _is_loopback_number(name)
    return False


def _is_loopback_number(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
