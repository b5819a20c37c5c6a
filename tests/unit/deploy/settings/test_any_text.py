"""Loading any `.env` gives settings or a list of problems."""

import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from deploy.settings.load import SettingsError, read_settings
from deploy.settings.model import KEYS, Settings

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LINES = st.tuples(st.sampled_from([*KEYS, "ENV_X", "SECRET_X", "NO"]), VALUES).map("=".join)


def outcome(content: bytes) -> Settings | SettingsError:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".env").touch(mode=0o600)
        (Path(folder) / ".env").write_bytes(content)
        try:
            return read_settings(Path(folder))
        except SettingsError as error:
            return error


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbfPROJECT=shop")
def test_any_bytes_give_a_list_of_problems(content: bytes) -> None:
    found = outcome(content)

    assert isinstance(found, SettingsError)
    assert found.problems
    assert all(problem.text for problem in found.problems)


@given(st.lists(LINES, max_size=8))
@example(["PROJECT=a", "IMAGE=b", "CERT_NAMES=,"])
@example(["PROJECT=a", "IMAGE=b", "CERT_NAMES=c", "PROJECT_FILES='\0'"])
def test_any_values_give_settings_or_problems(lines: list[str]) -> None:
    found = outcome("\n".join(lines).encode())

    if isinstance(found, Settings):
        assert found.cert_names
        assert found.app == f"{found.project}-{found.name}"
        assert len({source.credential for source in found.sources}) == len(found.sources)
    else:
        assert found.problems


@given(VALUES.filter(lambda text: len(text.strip()) > 3))
def test_no_secret_is_ever_shown(secret: str) -> None:
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    found = outcome(f"CERT_PASSWORD='{quoted}'\nSECRET_KEY='{quoted}'\nNO=1\n".encode())

    usual = outcome(b"CERT_PASSWORD=other\nSECRET_KEY=other\nNO=1\n")
    assert isinstance(found, SettingsError)
    assert isinstance(usual, SettingsError)
    # A secret may be a word that the message has anyway.
    assert found.message.count(secret) <= usual.message.count(secret)
