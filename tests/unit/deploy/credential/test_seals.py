"""What systemd seals a credential with, asked of a real systemd-creds, with a TPM in software."""

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.node.holdings import SealedCredential

pytestmark = pytest.mark.program
Program = Callable[[str], str]
SECRET = b"hunter2"


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Iterator[Path]:
    """A TPM that answers on a socket; the kernel need not know of it."""
    folder = tmp_path_factory.mktemp("tpm")
    (folder / "state").mkdir()
    socket = folder / "socket"
    words = [program("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={folder}/state"]
    words += ["--server", f"type=unixio,path={socket}"]
    words += ["--ctrl", f"type=unixio,path={socket}.ctrl", "--flags", "startup-clear"]
    words += ["--daemon", "--pid", f"file={folder}/pid"]
    subprocess.run(words, check=True)
    try:
        yield socket
    finally:
        os.kill(int((folder / "pid").read_text()), 15)


def creds(program: Program, folder: Path, data: bytes, *words: str) -> bytes:
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_CREDENTIAL_SECRET": str(folder / "secret")}
    command = [program("systemd-creds"), *words, "--name=token", "-", "-"]
    done = subprocess.run(
        command, input=data, capture_output=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("kind", ["host", "tpm2", "host+tpm2"])
def test_the_keys_of_a_seal_are_told_from_its_first_bytes(
    tmp_path: Path, tpm: Path, program: Program, kind: str
) -> None:
    device = f"--tpm2-device=swtpm:path={tpm}"

    sealed = creds(program, tmp_path, SECRET, "encrypt", f"--with-key={kind}", device)

    mark = base64.b64decode(sealed)[:16].hex()
    held = SealedCredential(name="token", age_seconds=0, seal=mark, opens=True)
    assert held.sealed_with == kind
    assert SECRET not in base64.b64decode(sealed)
    assert creds(program, tmp_path, sealed, "decrypt", device) == SECRET
