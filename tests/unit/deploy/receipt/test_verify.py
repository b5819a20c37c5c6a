"""Twenty receipts by two operators verify; one that is missing, changed or swapped is named."""

import json

import pytest

from deploy.errors import DeployError
from deploy.receipt.verify import receipts_verify
from tests.unit.deploy.examples import manifest
from tests.unit.deploy.receipt.team import OPERATORS, Team
from tests.unit.deploy.ssh_server import new_identity

pytestmark = pytest.mark.program
NAMES = tuple(f"203006{day:02}-120000-ab12" for day in range(1, 21))


@pytest.fixture
def twenty(team: Team) -> Team:
    """Twenty deploys, by one operator and the other in turn."""
    for number, name in enumerate(NAMES):
        team.deploy(OPERATORS[number % 2], name)
    return team


def verify(team: Team, capsys: pytest.CaptureFixture[str], **how: bool) -> tuple[int, str]:
    capsys.readouterr()
    usual = {"here": False, "copy": False, "as_json": False}
    code = receipts_verify(team.project(), **usual | how)
    return code, capsys.readouterr().out


def test_twenty_receipts_by_two_operators_and_each_way_to_break_one(
    twenty: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = verify(twenty, capsys)
    assert (code, said) == (0, "✓ 20 receipts of shop-www verified: 10 by ann, 10 by ben\n")

    # One byte on the node.
    whole = dict(twenty.stored)
    content, signature = whole[NAMES[6]]
    twenty.stored[NAMES[6]] = (content.replace(b'"deploy"', b'"deplox"'), signature)
    code, said = verify(twenty, capsys)
    assert code == 1
    assert said.splitlines() == [
        f"✗ the receipt of release {NAMES[6]} on the node: its signature does not fit: it was "
        "changed",
        "20 receipts of shop-www verified: 10 by ann, 10 by ben; 1 problem",
    ]

    # One that is missing there.
    twenty.stored = {name: one for name, one in whole.items() if name != NAMES[11]}
    code, said = verify(twenty, capsys)
    assert code == 1
    assert said.splitlines()[0] == f"✗ receipt 12 (release {NAMES[11]}) is missing on the node"
    assert "1 problem" in said

    # Two that are swapped there.
    twenty.stored = whole | {NAMES[3]: whole[NAMES[4]], NAMES[4]: whole[NAMES[3]]}
    code, said = verify(twenty, capsys)
    assert code == 1
    assert said.splitlines()[:2] == [
        f"✗ the receipt of release {NAMES[3]} on the node: it is the one of release {NAMES[4]}, "
        "signed by ann",
        f"✗ the receipt of release {NAMES[4]} on the node: it is the one of release {NAMES[3]}, "
        "signed by ben",
    ]
    assert "2 problems" in said

    # One byte here, and one that is missing here; both are copied back from the node.
    twenty.stored = dict(whole)
    twenty.file(NAMES[0]).write_bytes(whole[NAMES[0]][0][:-1] + b" ")
    twenty.file(NAMES[1]).unlink()
    code, said = verify(twenty, capsys)
    assert code == 1
    assert f"✗ the receipt of release {NAMES[0]} here: it cannot be read" in said
    assert f"✗ receipt 2 (release {NAMES[1]}) is missing here" in said
    assert "2 problems" in said
    code, said = verify(twenty, capsys, copy=True)
    assert code == 0
    assert "2 receipts copied here" in said
    assert twenty.file(NAMES[0]).read_bytes() == whole[NAMES[0]][0]


def test_without_the_node_a_hole_in_the_chain_is_named(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES[:4]:
        team.deploy("ann", name)
    team.file(NAMES[1]).unlink()
    team.remote.commands.clear()

    code, said = verify(team, capsys, here=True)

    assert code == 1
    assert "✗ receipt 2 is missing everywhere" in said
    assert team.remote.commands == []


def test_a_node_that_was_made_again_gets_its_receipts_back(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", NAMES[0])
    team.deploy("ben", NAMES[1])
    whole = dict(team.stored)
    team.stored.clear()
    team.deploy("ann", NAMES[2])

    code, said = verify(team, capsys)
    assert code == 1
    assert f"receipt 1 (release {NAMES[0]}) is missing on the node" in said
    code, said = verify(team, capsys, copy=True)

    assert code == 0
    assert "2 receipts copied to the node" in said
    assert whole.items() <= team.stored.items()
    assert json.loads(team.remote.the("audit").arguments[0])["detail"] == (
        "2 receipts copied to the node"
    )


def test_a_signature_of_a_stranger_does_not_count(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    new_identity(team.folder / "eve")
    team.deploy("ann", NAMES[0])
    team.deploy("eve", NAMES[1])

    code, said = verify(team, capsys)

    assert code == 1
    assert f"the receipt of release {NAMES[1]} here: it is signed with the key SHA256:" in said
    assert "which allowed_signers does not name for that time" in said


def test_a_key_counts_while_it_was_valid(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    signers = team.folder / "certs/allowed_signers"
    key = (team.folder / "ann.pub").read_text()
    team.deploy("ann", NAMES[0])
    # The receipts of these tests are of 15 June 2030.
    signers.write_text(f'ann valid-before="20300616" {key}\n')
    assert verify(team, capsys)[0] == 0

    signers.write_text(f'ann valid-before="20300614" {key}\n')
    assert verify(team, capsys)[0] == 1


def test_a_signature_for_another_purpose_does_not_count(
    team: Team, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("deploy.receipt.sign.NAMESPACE", "git")
        team.deploy("ann", NAMES[0])

    code, said = verify(team, capsys)

    assert code == 1
    assert "its signature does not fit" in said


def test_what_a_node_took_by_itself_is_listed_and_is_no_error_where_it_follows_a_tag(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", NAMES[0])
    team.releases.append(manifest(release=NAMES[1], by="the node"))
    team.deploy("ben", NAMES[2])
    capsys.readouterr()

    tag = {"PULL": "registry.example.org/shop/www:live"}
    assert receipts_verify(team.project(**tag), here=False, copy=False, as_json=False) == 0
    said = capsys.readouterr().out
    assert f"release {NAMES[1]} has no receipt: the node took it from its registry" in said
    assert "2 receipts of shop-www verified: 1 by ann, 1 by ben" in said

    code, said = verify(team, capsys)
    assert code == 1
    assert f"✗ release {NAMES[1]}, made by the node, has no receipt" in said


def test_programs_get_each_receipt_with_its_signer_and_the_problems(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", NAMES[0])
    team.stored.clear()

    code, said = verify(team, capsys, as_json=True)

    found = json.loads(said)
    assert code == 1
    assert found["problems"] == [f"receipt 1 (release {NAMES[0]}) is missing on the node"]
    assert found["receipts"][0]["signer"] == "ann"
    assert found["receipts"][0]["receipt"]["manifest"]["release"] == NAMES[0]


def test_no_receipt_at_all_and_no_file_of_signers_are_errors(team: Team) -> None:
    with pytest.raises(DeployError, match="there are no receipts of shop-www"):
        receipts_verify(team.project(), here=False, copy=False, as_json=False)

    (team.folder / "certs/allowed_signers").unlink()
    with pytest.raises(DeployError, match="allowed_signers is not there"):
        receipts_verify(team.project(), here=False, copy=False, as_json=False)
