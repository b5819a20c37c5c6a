"""Resolve Butane's sugar, in the order of the `butane` program."""

from butane.translate.boot_device import add_boot_device
from butane.translate.finding import Findings
from butane.translate.grub import add_grub_users
from butane.translate.lower import Lowering, lower
from butane.translate.mount_unit import add_mount_units
from butane.translate.partition_check import check_partitions
from butane.translate.quadlet import add_quadlets
from butane.translate.record import Record
from butane.translate.tree import add_trees


def desugar(source: Record, at: Lowering) -> Record:
    """Make the Ignition config; findings and sources are gathered in `at`."""
    config = lower(source, (), at)
    config = add_mount_units(source, config, at)
    add_trees(source, config, at)
    add_quadlets(source, config, at)
    if at.findings.are_fatal():
        return config
    config = add_boot_device(source, config, at)
    partitions = Findings()
    check_partitions(config, at.minor, partitions)
    config = add_grub_users(source, config, at)
    for each in partitions.found:
        # the real tool names the size by its place in the result, whatever its source
        known = each.path[-1] != "size_mib"
        at.findings.warn(at.sources.find(each.path) if known else each.path, each.message)
    return config
