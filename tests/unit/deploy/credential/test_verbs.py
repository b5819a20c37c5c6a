"""Credentials are listed, sealed, changed and set; a deploy carries each change to the node."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.app.credentials import Credentials
from deploy.app.deploy import DeployOptions
from deploy.credential import seal
from deploy.credential.list import creds_list
from deploy.credential.seal import creds_rotate, creds_seal, creds_set
from deploy.errors import DeployError
from deploy.node.holdings import Holdings, SealedCredential
from deploy.project import Project
from tests.unit.deploy.examples import fresh, manifest, settings, state
from tests.unit.deploy.fake_remote import FakeRemote

HOST = "5a1c6a86df9d4096b1d5a65e0862f19a"
VALUES = {"CERT_PASSWORD": "hunter2", "SECRET_*": {"token": "t0ken", "typed": ""}}


@dataclass
class Deploys:
    """The deploys that a verb started: of which app, with which options and values."""

    made: list[tuple[str, DeployOptions, Credentials | None]] = field(default_factory=list)
    failing: frozenset[str] = frozenset()

    def __call__(
        self, project: Project, options: DeployOptions, credentials: Credentials | None = None
    ) -> None:
        if project.settings.app in self.failing:
            raise DeployError("it was not healthy", "read its log")
        self.made.append((project.settings.app, options, credentials))

    @property
    def options(self) -> list[DeployOptions]:
        return [options for _, options, _ in self.made]


@pytest.fixture
def deploys(monkeypatch: pytest.MonkeyPatch) -> Deploys:
    made = Deploys()
    monkeypatch.setattr(seal, "deploy", made)
    return made


def project(folder: Path, **values: object) -> Project:
    return Project(folder, settings(**VALUES | {"NODE_ADDRESS": "web1"} | values))


def holdings(**changes: object) -> str:
    held = Holdings(
        clock=0,
        release="",
        inside="",
        manifest=manifest(generations={"token": 3}),
        host_keys=(),
        host_keys_changing=False,
        access=(),
        credentials=tuple(
            SealedCredential(name=name, age_seconds=90000, seal=HOST, opens=True)
            for name in ("cert_pass", "token", "typed")
        ),
        compared={"cert_pass": "same", "token": "same", "typed": "present"},
    )
    return held.model_copy(update=changes).model_dump_json()


def test_the_list_shows_source_state_and_seal_and_never_a_value(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["holdings"] = holdings()

    assert creds_list(project(tmp_path), as_json=True) == 0

    text = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(text)["credentials"]}
    assert rows["token"] == {
        "name": "token",
        "source": "SECRET_TOKEN in .env",
        "state": "same",
        "generation": 3,
        "age_days": 1,
        "sealed_with": "host",
        "opens": True,
    }
    assert rows["typed"]["source"] == "a prompt"
    assert "t0ken" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"compared": {"cert_pass": "same", "token": "different", "typed": "present"}},
        {"credentials": ()},
    ],
)
def test_an_outdated_or_missing_credential_makes_the_exit_code_1(
    tmp_path: Path, remote: FakeRemote, changes: dict[str, object]
) -> None:
    remote.answers["holdings"] = holdings(**changes)

    assert creds_list(project(tmp_path), as_json=False) == 1


def test_a_credential_that_the_node_cannot_decrypt_is_named_with_what_to_type(
    tmp_path: Path, remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = SealedCredential(name="typed", age_seconds=0, seal=HOST, opens=False)
    compared = {"cert_pass": "same", "token": "same", "typed": "unreadable"}
    remote.answers["holdings"] = holdings(credentials=(sealed,), compared=compared)

    assert creds_list(project(tmp_path), as_json=False) == 1

    said = capsys.readouterr()
    assert "unreadable" in said.out
    text = "credential typed cannot be decrypted on this node; run `fab creds-seal`"
    assert said.err == f"error: {text}\n"


def test_sealing_deploys_with_every_credential_or_those_named(
    tmp_path: Path, remote: FakeRemote, deploys: Deploys
) -> None:
    remote.answers["probe"] = state().model_dump_json()

    creds_seal((project(tmp_path),), "", go_on=False)
    creds_seal((project(tmp_path),), "token", go_on=False)

    assert [one.reseal for one in deploys.options] == [
        {"cert_pass", "token", "typed"},
        {"token"},
    ]
    assert {one.what for one in deploys.options} == {"credentials"}


def test_sealing_deploys_an_app_that_is_not_on_its_node(
    tmp_path: Path, remote: FakeRemote, deploys: Deploys
) -> None:
    remote.answers["probe"] = fresh().model_dump_json()

    creds_seal((project(tmp_path),), "", go_on=False)

    assert deploys.options == [DeployOptions(first=True)]


def test_an_unknown_credential_is_refused_before_the_node_is_asked(
    tmp_path: Path, remote: FakeRemote, deploys: Deploys
) -> None:
    with pytest.raises(DeployError, match="has no credential 'other'"):
        creds_seal((project(tmp_path),), "other", go_on=False)

    assert remote.commands == []
    assert deploys.made == []


def test_with_all_one_failure_does_not_stop_the_other_apps(
    tmp_path: Path, remote: FakeRemote, deploys: Deploys
) -> None:
    remote.answers["probe"] = lambda command: state(
        manifest=manifest(app=command.arguments[0])
    ).model_dump_json()
    deploys.failing = frozenset({"shop-www"})
    both = (project(tmp_path), project(tmp_path, NAME="staging"))

    with pytest.raises(DeployError, match="shop-www failed"):
        creds_seal(both, "", go_on=True)

    assert [app for app, _, _ in deploys.made] == ["shop-staging"]


def test_a_changed_value_is_deployed(tmp_path: Path, remote: FakeRemote, deploys: Deploys) -> None:
    remote.answers["probe"] = state(credentials={"token": "different"}).model_dump_json()

    creds_rotate(project(tmp_path), "token")

    assert deploys.options == [DeployOptions(what="credentials")]
    assert b"token " in remote.the("probe").stdin


def test_an_unchanged_value_is_refused(
    tmp_path: Path, remote: FakeRemote, deploys: Deploys
) -> None:
    remote.answers["probe"] = state(credentials={"token": "same"}).model_dump_json()

    with pytest.raises(DeployError, match="sealed with this value already"):
        creds_rotate(project(tmp_path), "token")

    assert deploys.made == []


def test_a_value_without_a_source_is_set(tmp_path: Path, deploys: Deploys) -> None:
    creds_set(project(tmp_path), "typed", lambda: "new value")

    ((_, options, credentials),) = deploys.made
    assert options.reseal == {"typed"}
    assert credentials
    assert credentials.value("typed") == "new value"


def test_a_value_with_a_source_is_changed_there(tmp_path: Path, deploys: Deploys) -> None:
    with pytest.raises(DeployError, match=r"token comes from SECRET_TOKEN in \.env"):
        creds_set(project(tmp_path), "token", lambda: "x")

    assert deploys.made == []


def test_the_password_of_the_key_has_a_command_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="opens the TLS key") as rotating:
        creds_rotate(project(tmp_path), "cert_pass")
    with pytest.raises(DeployError, match="opens the TLS key"):
        creds_set(project(tmp_path), "cert_pass", lambda: "x")

    assert "--password-only" in rotating.value.hint
