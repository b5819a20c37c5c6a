"""A command of the operator's writes TXT records; its last line is in the error."""

from pathlib import Path

import pytest

from certs.acme.order import Challenge
from deploy.certificate.challenge import DnsCommand
from deploy.errors import DeployError

pytestmark = pytest.mark.program
ASKED = Challenge("dns-01", "example.org", "_acme-challenge.example.org", "va-lue_")


def test_the_command_gets_verb_record_and_value(tmp_path: Path) -> None:
    zone = DnsCommand(f"printf '%s\\n' >>{tmp_path}/log")

    zone.present(ASKED)
    zone.cleanup(ASKED)

    said = (tmp_path / "log").read_text().splitlines()
    assert said == ["add", ASKED.where, ASKED.content, "remove", ASKED.where, ASKED.content]


def test_a_value_is_never_read_by_the_shell(tmp_path: Path) -> None:
    odd = Challenge("dns-01", "x", f"$(touch {tmp_path}/x)", f"'; touch {tmp_path}/x; '")

    DnsCommand("true").present(odd)

    assert not (tmp_path / "x").exists()


def test_a_failing_command_is_named_with_its_last_words() -> None:
    with pytest.raises(DeployError, match=r"add \S+ failed \(exit code 3\): no zone") as caught:
        DnsCommand("echo no zone >&2; exit 3; :").present(ASKED)

    assert "try it" in caught.value.hint


def test_a_command_that_does_not_end_is_given_up() -> None:
    with pytest.raises(DeployError, match="took longer"):
        DnsCommand("exec sleep 60; :", timeout_seconds=0.2).present(ASKED)


def test_a_failure_to_take_away_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    DnsCommand("false").cleanup(ASKED)

    assert "remove the record by hand" in capsys.readouterr().err.replace("\n", " ")
