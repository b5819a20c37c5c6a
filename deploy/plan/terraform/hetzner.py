"""One machine at Hetzner."""

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


def hetzner(machine: CloudMachine) -> Cloud:
    """Declare machine, address, zone and records."""
    label = machine.label
    address = f"${{hcloud_primary_ip.{label}.ip_address}}"
    resources: Json = {
        "hcloud_primary_ip": {
            label: {
                "name": label,
                "type": "ipv4",
                "location": "${var.region}",
                "assignee_type": "server",
                "auto_delete": False,
                "delete_protection": True,
                "lifecycle": KEPT,
            }
        },
        "hcloud_server": {
            label: {
                "name": machine.hostname,
                "server_type": "${var.plan}",
                "image": "${var.image}",
                "location": "${var.region}",
                "public_net": [
                    {
                        "ipv4_enabled": True,
                        "ipv4": f"${{hcloud_primary_ip.{label}.id}}",
                        "ipv6_enabled": True,
                    }
                ],
                "user_data": USER_DATA,
                "lifecycle": UNTOUCHED,
            }
        },
    }
    if machine.zone:
        resources["hcloud_zone"] = {
            "zone": {
                "name": "${var.domain}",
                "mode": "primary",
                "delete_protection": True,
                "lifecycle": KEPT,
            }
        }
        resources["hcloud_zone_rrset"] = {
            named(record): {
                "zone": "${hcloud_zone.zone.name}",
                "name": record or "@",
                "type": "A",
                "ttl": TTL,
                "records": [{"value": address}],
            }
            for record in machine.records
        }
    variables = {
        "region": text("where the machine stands, such as fsn1", "fsn1"),
        "plan": text("its size", "cx23"),
        "image": text("the number of the snapshot that you made of Fedora CoreOS's hetzner image"),
    }
    return Cloud("hcloud", "hetznercloud/hcloud", "~> 1.60", "token", variables, resources, address)
