"""One machine at Vultr."""

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


def vultr(machine: CloudMachine) -> Cloud:
    """Declare machine, address, zone and records."""
    label = machine.label
    address = f"${{vultr_reserved_ip.{label}.subnet}}"
    resources: Json = {
        "vultr_reserved_ip": {
            label: {
                "region": "${var.region}",
                "ip_type": "v4",
                "label": label,
                "lifecycle": KEPT,
            }
        },
        "vultr_instance": {
            label: {
                "region": "${var.region}",
                "plan": "${var.plan}",
                # Vultr's own image is an old one: a snapshot wins where there is one.
                "os_id": '${var.snapshot_id == "" ? var.os_id : null}',
                "snapshot_id": '${var.snapshot_id == "" ? null : var.snapshot_id}',
                "label": label,
                "hostname": machine.hostname,
                "reserved_ip_id": f"${{vultr_reserved_ip.{label}.id}}",
                "user_data": USER_DATA,
                "lifecycle": UNTOUCHED,
            }
        },
    }
    if machine.zone:
        resources["vultr_dns_domain"] = {"zone": {"domain": "${var.domain}", "lifecycle": KEPT}}
        resources["vultr_dns_record"] = {
            named(record): {
                "domain": "${vultr_dns_domain.zone.domain}",
                "name": record,
                "type": "A",
                "data": address,
                "ttl": TTL,
            }
            for record in machine.records
        }
    variables = {
        "region": text("where the machine stands, such as cdg", "cdg"),
        "plan": text("its size", "vc2-1c-2gb"),
        "os_id": text("Fedora CoreOS Stable in Vultr's list", "391"),
        "snapshot_id": text("a newer Fedora CoreOS that you uploaded as a snapshot", ""),
    }
    return Cloud("vultr", "vultr/vultr", "~> 2.28", "api_key", variables, resources, address)
