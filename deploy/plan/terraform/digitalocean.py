"""One machine at DigitalOcean."""

from deploy.plan.terraform.document import (
    KEPT,
    TTL,
    UNTOUCHED,
    USER_DATA,
    Cloud,
    CloudMachine,
    Json,
    named,
    text,
)


def digitalocean(machine: CloudMachine) -> Cloud:
    """Declare machine, address, zone and records."""
    label = machine.label
    address = f"${{digitalocean_reserved_ip.{label}.ip_address}}"
    resources: Json = {
        "digitalocean_custom_image": {
            "coreos": {
                "name": "fedora-coreos",
                "url": "${var.image_url}",
                "distribution": "Fedora",
                "regions": ["${var.region}"],
            }
        },
        "digitalocean_ssh_key": {
            label: {"name": label, "public_key": "${var.ssh_key}"},
        },
        "digitalocean_droplet": {
            label: {
                "name": machine.hostname,
                "region": "${var.region}",
                "size": "${var.plan}",
                "image": "${digitalocean_custom_image.coreos.image_id}",
                # A custom image can be started only with a key; Ignition brings the real ones.
                "ssh_keys": [f"${{digitalocean_ssh_key.{label}.fingerprint}}"],
                "user_data": USER_DATA,
                "lifecycle": UNTOUCHED,
            }
        },
        "digitalocean_reserved_ip": {label: {"region": "${var.region}", "lifecycle": KEPT}},
        "digitalocean_reserved_ip_assignment": {
            label: {
                "ip_address": address,
                "droplet_id": f"${{digitalocean_droplet.{label}.id}}",
            }
        },
    }
    if machine.zone:
        resources["digitalocean_domain"] = {"zone": {"name": "${var.domain}", "lifecycle": KEPT}}
        resources["digitalocean_record"] = {
            named(record): {
                "domain": "${digitalocean_domain.zone.id}",
                "name": record or "@",
                "type": "A",
                "value": address,
                "ttl": TTL,
            }
            for record in machine.records
        }
    variables = {
        "region": text("where the machine stands, such as fra1", "fra1"),
        "plan": text("its size", "s-1vcpu-2gb"),
        "image_url": text("where DigitalOcean can fetch Fedora CoreOS's digitalocean image (.gz)"),
        "ssh_key": text("a public SSH key; DigitalOcean wants one for a custom image"),
    }
    return Cloud(
        "digitalocean",
        "digitalocean/digitalocean",
        "~> 2.70",
        "token",
        variables,
        resources,
        address,
    )
