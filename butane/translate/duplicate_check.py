"""Lists that name the same thing twice."""

from butane.translate.finding import Findings
from butane.translate.record import Record, fields_of, item_key, walk_records
from butane.translate.versions import Version

_DUPLICATE = "duplicate entry defined"


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
                    findings.error((*path, each.name, index), _DUPLICATE)
                names.add(key)
