"""Every rule of Ignition, run over a whole config."""

from functools import partial

from butane.translate import disk_check as disk
from butane.translate import filesystem_check as filesystem
from butane.translate import resource_check as resource
from butane.translate import schema, schema_ignition, schema_storage
from butane.translate import storage_check as storage
from butane.translate import systemd_check as systemd
from butane.translate.finding import Check, Findings, run_checks
from butane.translate.record import Record, Struct, fields_of, item_key, walk_records
from butane.translate.versions import Version


def check_ignition(config: Record, version: Version, findings: Findings) -> None:
    """Check an Ignition config, as `ignition-validate` would."""
    check_duplicates(config, version, findings)
    run_checks(config, CHECKS, version, findings)


def check_duplicates(config: Record, version: Version, findings: Findings) -> None:
    """Report every list item whose name an earlier item of its namespace has."""
    for record, path in walk_records(config, ()):
        known: dict[str, set[str]] = {}
        for each in fields_of(record.struct, version.minor):
            if not each.many or each.sugar or each.name in record.struct.appended:
                continue
            handle = "shared" if each.name in record.struct.shared else each.name
            names = known.setdefault(handle, set())
            for index, item in enumerate(record.items(each.name)):
                key = item_key(item)
                if key in names:
                    findings.error((*path, each.name, index), "duplicate entry defined")
                names.add(key)


CHECKS: dict[Struct, Check] = {
    schema.DOCUMENT: systemd.check_unit_paths,
    schema.CONFIG: systemd.check_unit_paths,
    schema.SYSTEMD: systemd.check_systemd,
    schema.UNIT: systemd.check_unit,
    schema.DROPIN: systemd.check_dropin,
    schema_ignition.IGNITION_CONFIG: partial(resource.check_sources, "merge"),
    schema_ignition.TLS: partial(resource.check_sources, "certificate_authorities"),
    schema_ignition.RESOURCE: resource.check_resource,
    schema_ignition.CONFIG_REFERENCE: resource.check_config_reference,
    schema_ignition.CA_REFERENCE: resource.check_ca_reference,
    schema_ignition.HTTP_HEADER: resource.check_header,
    schema_ignition.PROXY: resource.check_proxy,
    schema_ignition.VERIFICATION: resource.check_verification,
    schema_storage.STORAGE: storage.check_storage,
    schema_storage.DIRECTORY: storage.check_directory,
    schema_storage.FILE: storage.check_file,
    schema_storage.LINK: storage.check_link,
    schema_storage.OWNER: storage.check_owner,
    schema_storage.DISK: disk.check_disk,
    schema_storage.PARTITION: disk.check_partition,
    schema_storage.FILESYSTEM: filesystem.check_filesystem,
    schema_storage.RAID: filesystem.check_raid,
    schema_storage.LUKS: filesystem.check_luks,
    schema_storage.CUSTOM: filesystem.check_custom,
    schema_storage.CLEVIS_CUSTOM: filesystem.check_custom,
    schema_storage.TANG: filesystem.check_tang,
}
