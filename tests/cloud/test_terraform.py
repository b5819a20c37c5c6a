"""The JSON for Terraform uses only fields that the providers document."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy.plan.terraform.digitalocean import digitalocean
from deploy.plan.terraform.document import CloudMachine, Json, document, records_of
from deploy.plan.terraform.hetzner import hetzner
from deploy.plan.terraform.vultr import vultr

FIELDS = Path(__file__).parent / "fields"
CLOUDS = {"vultr": vultr, "hetzner": hetzner, "digitalocean": digitalocean}
MACHINE = CloudMachine("tink1.example.org", "example.org", ("", "staging", "*.api"))
ZONES = {
    "vultr": "vultr_dns_domain",
    "hetzner": "hcloud_zone",
    "digitalocean": "digitalocean_domain",
}
MACHINES = {
    "vultr": "vultr_instance",
    "hetzner": "hcloud_server",
    "digitalocean": "digitalocean_droplet",
}


def made(provider: str, machine: CloudMachine = MACHINE) -> Json:
    return document(CLOUDS[provider](machine), machine)


def fields(provider: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIELDS / f"{provider}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("provider", CLOUDS)
@pytest.mark.parametrize("zone", ["example.org", ""])
def test_every_field_is_one_that_the_provider_documents(provider: str, zone: str) -> None:
    machine = CloudMachine("tink1", zone, MACHINE.records if zone else ())

    jsonschema.validate(made(provider, machine), fields(provider))


@pytest.mark.parametrize("provider", CLOUDS)
def test_a_field_that_no_provider_has_would_be_noticed(provider: str) -> None:
    wrong = made(provider)
    next(iter(wrong["resource"][MACHINES[provider]].values()))["flavour"] = "large"

    with pytest.raises(jsonschema.ValidationError, match="flavour"):
        jsonschema.validate(wrong, fields(provider))


@pytest.mark.parametrize("provider", CLOUDS)
def test_zone_and_address_are_not_destroyed_and_a_new_spec_replaces_no_machine(
    provider: str,
) -> None:
    resources = made(provider)["resource"]

    assert resources[ZONES[provider]]["zone"]["lifecycle"] == {"prevent_destroy": True}
    kept = [kind for kind, found in resources.items() if _is_kept(found)]
    assert sum("ip" in kind for kind in kept) == 1
    assert resources[MACHINES[provider]]["tink1"]["lifecycle"] == {"ignore_changes": ["user_data"]}


def _is_kept(found: Json) -> bool:
    return any("prevent_destroy" in one.get("lifecycle", {}) for one in found.values())


@pytest.mark.parametrize("provider", CLOUDS)
def test_every_reference_names_something_that_the_document_declares(provider: str) -> None:
    whole = made(provider)
    declared = {f"{kind}.{name}" for kind, found in whole["resource"].items() for name in found}
    declared |= {f"var.{name}" for name in whole["variable"]}

    text = json.dumps(whole)
    used = {
        ".".join(part.split("}")[0].split(" ")[0].split(".")[:2])
        for part in text.split("${")[1:]
        if not part.startswith(("file", "path"))
    }
    assert used <= declared


def test_the_articles_setup_at_vultr_has_the_articles_resources() -> None:
    article = CloudMachine("tinkerbell", "soap.coffee", ("", "staging"))

    resources = made("vultr", article)["resource"]

    assert {(kind, len(found)) for kind, found in resources.items()} == {
        ("vultr_instance", 1),
        ("vultr_reserved_ip", 1),
        ("vultr_dns_domain", 1),
        ("vultr_dns_record", 2),
    }
    machine = resources["vultr_instance"]["tinkerbell"]
    assert machine["hostname"] == machine["label"] == "tinkerbell"
    assert machine["reserved_ip_id"] == "${vultr_reserved_ip.tinkerbell.id}"
    assert {one["name"] for one in resources["vultr_dns_record"].values()} == {"", "staging"}


def test_the_token_is_a_variable_and_nowhere_in_the_file() -> None:
    variable = made("vultr")["variable"]["vultr_api_key"]

    assert variable["sensitive"]
    assert "default" not in variable


@pytest.mark.parametrize(
    ("names", "records"),
    [
        (("example.org", "www.example.org"), ("", "www")),
        (("*.example.org", "example.com", "192.0.2.1"), ("*",)),
        (("notexample.org",), ()),
    ],
)
def test_records_are_the_certificates_names_within_the_zone(
    names: tuple[str, ...], records: tuple[str, ...]
) -> None:
    assert records_of(names, "example.org") == records
