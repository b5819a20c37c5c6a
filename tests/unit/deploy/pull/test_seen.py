"""The updater remembers the latest sequence of each tag, by the functions of its script."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.node.script import script_text

pytestmark = pytest.mark.program
FUNCTIONS = ("keep", "kept_of", "check_signature")
# The registry shows an image and what one of the keys has signed about it.
FAKES = """
kept=. work=. here=. name=registry/www trust=
from_registry() { [ "$1" = copy ] || echo '{"config": {"size": 1}, "layers": []}'; }
statements() { echo "$sequence"; }
end() { echo "$*"; exit; }
"""
LIVE, STAGING = "registry/www:live", "registry/www:staging"


@pytest.fixture
def look(tmp_path: Path, program: Callable[[str], str]) -> Callable[[str, str, int], str]:
    """Check the signature of what a tag names; print why it is refused."""
    wanted = rf"^(?:{'|'.join(FUNCTIONS)})\(\) \{{\n(?:.*\n)*?^\}}$|^kept_of\(\).*$"
    functions = re.findall(wanted, script_text("pull"), re.MULTILINE)
    assert len(functions) == len(FUNCTIONS)

    def check(reference: str, digest: str, sequence: int) -> str:
        given = f"reference={reference} digest={digest} sequence={sequence}"
        text = "\n".join(("set -euo pipefail", *functions, FAKES, given, "check_signature"))
        done = subprocess.run(
            [program("bash"), "-c", text], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    return check


def test_an_older_image_is_refused_though_another_tag_was_followed_between(
    look: Callable[[str, str, int], str],
) -> None:
    assert look(LIVE, "sha256:new", 5) == ""
    assert look(STAGING, "sha256:other", 9) == ""

    assert "sequence 4, and 5 was seen" in look(LIVE, "sha256:old", 4)
    assert "with the same sequence 5" in look(LIVE, "sha256:old", 5)
    assert "sequence 8, and 9 was seen" in look(STAGING, "sha256:old", 8)
    assert look(LIVE, "sha256:newer", 6) == ""
    assert "sequence 5, and 6 was seen" in look(LIVE, "sha256:new", 5)
