"""The files for Terraform use only fields that the providers document."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butane.render import render_text
from deploy.machine.cloud.plan.cloud_values import (
    VOLUME,
    cloud_values,
    hcl_text,
    records_of,
    user_data_value,
)
from tests.root import ROOT
from tests.unit.deploy.machine.cloud.hcl import Body, read

FIELDS = Path(__file__).parent / "fields"
TEMPLATES = ROOT / "deploy/machine/cloud/templates"
NAMES = ("example.org", "staging.example.org", "*.api.example.org", "example.com")
MACHINES = {
    "vultr": "vultr_instance",
    "hetzner": "hcloud_server",
    "digitalocean": "digitalocean_droplet",
}
ADDRESSES = {
    "vultr": "vultr_reserved_ip",
    "hetzner": "hcloud_primary_ip",
    "digitalocean": "digitalocean_reserved_ip",
}
ZONES = {
    "vultr": "vultr_dns_domain",
    "hetzner": "hcloud_zone",
    "digitalocean": "digitalocean_domain",
}
RECORDS = {
    "vultr": "vultr_dns_record",
    "hetzner": "hcloud_zone_rrset",
    "digitalocean": "digitalocean_record",
}


VOLUMES = {
    "vultr": "vultr_block_storage",
    "hetzner": "hcloud_volume",
    "digitalocean": "digitalocean_volume",
}


def made(
    provider: str,
    hostname: str = "tink1.example.org",
    zone: str = "example.org",
    *,
    volume: bool = False,
) -> Body:
    """Read the files of one machine as Terraform does: as one."""
    names = (provider, *([f"{provider}-volume"] if volume else []))
    texts = ((TEMPLATES / f"{name}.tf").read_text(encoding="utf-8") for name in names)
    user_data = user_data_value(provider, hostname, volume=volume)
    values = {**cloud_values(hostname, zone, NAMES), "USER_DATA": user_data}
    return read(render_text("".join(texts), values, source=provider))


def validate(provider: str, whole: Body) -> None:
    """Hold a file to its provider's fields; count and for_each may stand in any resource."""
    fields: dict[str, Any] = json.loads((FIELDS / f"{provider}.json").read_text(encoding="utf-8"))
    for found in whole["resource"].values():
        for one in found.values():
            one.pop("count", None)
            one.pop("for_each", None)
    jsonschema.validate(whole, fields)


@pytest.mark.parametrize("provider", MACHINES)
@pytest.mark.parametrize("zone", ["example.org", ""])
def test_every_field_is_one_that_the_provider_documents(provider: str, zone: str) -> None:
    validate(provider, made(provider, "tink1", zone))
    validate(provider, made(provider, "tink1", zone, volume=True))


@pytest.mark.parametrize("provider", MACHINES)
def test_the_volume_outlives_the_machine_whose_user_data_names_it(provider: str) -> None:
    whole = made(provider, volume=True)["resource"]

    volume = whole[VOLUMES[provider]]["tink1"]
    user_data = whole[MACHINES[provider]]["tink1"]["user_data"]
    assert volume["lifecycle"] == {"prevent_destroy": True}
    assert user_data.startswith(f'${{replace(file("${{path.module}}/user-data.ign"), "{VOLUME}", ')
    attached = {"vultr": volume}.get(provider) or whole[f"{VOLUMES[provider]}_attachment"]["tink1"]
    assert f"{MACHINES[provider]}.tink1.id" in json.dumps(attached)


@pytest.mark.parametrize("provider", MACHINES)
def test_a_field_that_no_provider_has_would_be_noticed(provider: str) -> None:
    wrong = made(provider)
    wrong["resource"][MACHINES[provider]]["tink1"]["flavour"] = "large"

    with pytest.raises(jsonschema.ValidationError, match="flavour"):
        validate(provider, wrong)


@pytest.mark.parametrize("provider", MACHINES)
def test_zone_and_address_are_not_destroyed_and_a_new_spec_replaces_no_machine(
    provider: str,
) -> None:
    resources = made(provider)["resource"]

    kept = {"prevent_destroy": True}
    assert resources[ZONES[provider]]["zone"]["lifecycle"] == kept
    assert resources[ADDRESSES[provider]]["tink1"]["lifecycle"] == kept
    machine = resources[MACHINES[provider]]["tink1"]
    assert machine["lifecycle"] == {"ignore_changes": ["${user_data}"]}
    assert machine["user_data"] == '${file("${path.module}/user-data.ign")}'
    assert machine.get("hostname", machine.get("name")) == "tink1.example.org"


@pytest.mark.parametrize("provider", MACHINES)
def test_a_zone_and_a_record_a_name_are_made_only_with_a_domain(provider: str) -> None:
    with_zone, without = made(provider), made(provider, zone="")

    assert with_zone["variable"]["domain"]["default"] == "example.org"
    assert with_zone["resource"][RECORDS[provider]]["name"]["for_each"] == ["@", "staging", "*.api"]
    assert without["variable"]["domain"]["default"] == ""
    assert without["resource"][RECORDS[provider]]["name"]["for_each"] == []
    zone = without["resource"][ZONES[provider]]["zone"]
    assert zone["count"] == '${var.domain == "" ? 0 : 1}'


@pytest.mark.parametrize("provider", MACHINES)
def test_every_reference_names_something_that_the_file_declares(provider: str) -> None:
    whole = made(provider, volume=True)
    declared = {f"{kind}.{name}" for kind, found in whole["resource"].items() for name in found}
    declared |= {f"var.{name}" for name in whole["variable"]}

    expressions = "".join(re.findall(r"\$\{.*?\}", json.dumps(whole)))
    used = set(re.findall(r"\b(?:var|[a-z]+_[a-z_]+)\.[\w-]+", expressions))
    assert {"var.region", "var.domain", f"{ADDRESSES[provider]}.tink1"} <= used <= declared


@pytest.mark.parametrize("provider", MACHINES)
def test_the_token_is_a_variable_and_nowhere_in_the_file(provider: str) -> None:
    (tokens,) = made(provider)["provider"].values()
    (token,) = tokens.values()
    variable = made(provider)["variable"][token.removeprefix("${var.").removesuffix("}")]

    assert variable["sensitive"]
    assert "default" not in variable


@pytest.mark.parametrize("provider", MACHINES)
def test_a_host_name_that_begins_with_a_digit_makes_names_that_terraform_takes(
    provider: str,
) -> None:
    assert [*made(provider, "1shop")["resource"][MACHINES[provider]]] == ["machine-1shop"]


@given(st.text(st.sampled_from('a"\\${%}\n\r\t @A'), max_size=12))
def test_a_value_stays_what_it_is_between_quotes(text: str) -> None:
    line = render_text('x = "@X@"\n', {"X": hcl_text(text)}, source="x")

    assert line.count("\n") == 1
    assert read(line) == {"x": text}


@pytest.mark.parametrize("text", ["x {", "}", "x", 'x = "a"\nx = "b"', "x = {\n  y = 1"])
def test_what_the_reader_does_not_understand_is_not_passed_over(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w|\}"):
        read(text)


@pytest.mark.parametrize(
    ("names", "records"),
    [
        (("example.org", "www.example.org"), ("@", "www")),
        (("*.example.org", "example.com", "192.0.2.1"), ("*",)),
        (("notexample.org",), ()),
    ],
)
def test_records_are_the_certificates_names_within_the_zone(
    names: tuple[str, ...], records: tuple[str, ...]
) -> None:
    assert records_of(names, "example.org") == records
