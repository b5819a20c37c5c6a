"""What the updater of an app is made of."""

import base64
import gzip
import json
import re

import pytest

from deploy.node.script import script_text
from deploy.settings.model import Settings
from deploy.spec.carried import PULL_SCRIPTS
from deploy.spec.plan.pull import PullFiles, pull_values
from deploy.spec.plan.values import template_values
from tests.unit.deploy.examples import settings

TAG = "registry.example.org:5000/shop/www:live"
GIVEN = PullFiles({"pull.sh": b"echo hello\n"}, (b"KEY ONE", b"KEY TWO"), b"ROOT")
FOLDER = "/etc/corefab/pull/shop-www/"


def files(given: Settings, own: PullFiles = GIVEN) -> dict[str, bytes]:
    found = pull_values(given, own)["PULL_FILE"]
    pattern = re.compile(r'\{path: (\S+), mode: 0644, contents: \{source: "data:;base64,(.*?)"')
    matches = [match for entry in found if (match := pattern.match(entry))]
    assert len(matches) == len(found)
    return {one[1]: gzip.decompress(base64.b64decode(one[2])) for one in matches}


def test_an_app_without_a_tag_has_no_updater() -> None:
    values = pull_values(settings(), GIVEN)

    assert (values["PULL"], values["PULL_FILE"]) == ((), ())


def test_with_the_mode_off_a_tag_is_for_publishing_alone() -> None:
    values = pull_values(settings(PULL=TAG, PULL_MODE="off", PULL_LOGIN="ann:x"), GIVEN)

    assert (values["PULL"], values["PULL_FILE"]) == ((), ())
    assert "pull_login" not in {one.credential for one in settings(PULL_LOGIN="ann:x").sources}


def test_scripts_keys_and_the_root_are_carried() -> None:
    found = files(settings(PULL=TAG))

    assert found[f"{FOLDER}pull.sh"] == b"echo hello\n"
    assert found[f"{FOLDER}keys/0.pub"] == b"KEY ONE"
    assert found[f"{FOLDER}keys/1.pub"] == b"KEY TWO"
    assert found[f"{FOLDER}trusted/root.crt"] == b"ROOT"
    assert f"{FOLDER}trusted/root.crt" not in files(settings(PULL=TAG), PullFiles())


def test_the_policy_takes_what_a_key_has_signed_of_this_repository_and_rejects_all_else() -> None:
    policy = json.loads(files(settings(PULL=TAG))[f"{FOLDER}policy.json"])

    assert policy["default"] == [{"type": "reject"}]
    signed = policy["transports"]["docker"]
    assert list(signed) == ["registry.example.org:5000/shop/www"]
    assert signed["registry.example.org:5000/shop/www"][0]["keyPaths"] == [
        f"{FOLDER}keys/0.pub",
        f"{FOLDER}keys/1.pub",
    ]
    attached = json.loads(files(settings(PULL=TAG))[f"{FOLDER}registries.d/registry.yaml"])
    assert attached == {"docker": {"registry.example.org:5000": {"use-sigstore-attachments": True}}}


@pytest.mark.parametrize(
    ("tag", "reference"), [(TAG, TAG), (TAG.removesuffix(":live"), TAG.replace("live", "latest"))]
)
def test_the_settings_name_tag_delay_and_whether_there_is_a_login(tag: str, reference: str) -> None:
    found = files(settings(PULL=tag, PULL_DELAY="2h", PULL_LOGIN="ann:secret"))
    read = json.loads(found[f"{FOLDER}settings.json"])

    assert (read["reference"], read["delay_seconds"]) == (reference, 7200)
    assert read["login"] is True
    assert not [path for path, content in found.items() if b"secret" in content]
    without = json.loads(files(settings(PULL=TAG))[f"{FOLDER}settings.json"])
    assert without["login"] is False


@pytest.mark.parametrize(
    ("values", "born"),
    [
        ({"TLS": "none", "HTTP_PORT": "80"}, True),
        ({"TLS": "none", "HTTP_PORT": "80", "PULL_LOGIN": "ann:x"}, False),
        ({"TLS": "none", "HTTP_PORT": "80", "PROJECT_FILES": "files"}, False),
        ({"TLS": "none", "HTTP_PORT": "80", "SECRET_*": {"token": "x"}}, False),
        ({"TLS": "app"}, False),
        ({"TLS": "proxy", "CERT_FROM": "own"}, False),
        ({"TLS": "proxy", "CERT_FROM": "node"}, True),
        ({"TLS": "proxy", "CERT_FROM": "node", "PROXY_IMAGE": "localhost/caddy:1"}, False),
    ],
)
def test_a_machine_is_born_with_an_app_that_needs_no_workstation(
    values: dict[str, object], *, born: bool
) -> None:
    found = files(settings(PULL=TAG, **values))

    assert json.loads(found[f"{FOLDER}settings.json"])["born"] is born


def test_the_container_does_not_get_the_login() -> None:
    given = settings(PULL=TAG, PULL_LOGIN="ann:secret")

    assert "pull_login" in {one.credential for one in given.sources}
    assert "pull_login" not in template_values(given)["CREDENTIAL"]


def test_the_updater_carries_every_script_that_it_runs() -> None:
    text = script_text("pull")

    run = set(re.findall(r"\brun ([a-z][a-z-]+)", text)) | set(re.findall(r"packed ([a-z]+)", text))
    assert run == set(PULL_SCRIPTS) - {"pull"}


@pytest.mark.parametrize("tag", ["", ":2"])
def test_an_image_by_its_digest_needs_no_signature_and_no_other_is_taken(tag: str) -> None:
    digest = f"sha256:{'a' * 64}"
    given = settings().model_copy(update={"pull": f"docker.io/library/caddy{tag}@{digest}"})

    found = files(given, PullFiles())

    read = json.loads(found[f"{FOLDER}settings.json"])
    policy = json.loads(found[f"{FOLDER}policy.json"])
    assert read["reference"] == f"docker.io/library/caddy@{digest}"
    assert policy["default"] == [{"type": "reject"}]
    accepted = [{"type": "insecureAcceptAnything"}]
    assert policy["transports"]["docker"] == {"docker.io/library/caddy": accepted}
