"""Configs made at random from the schema table: right in form, often wrong in meaning."""

import json
import string

import yaml
from hypothesis import strategies as st

from butane.translate.record import Field, Struct, fields_of
from butane.translate.schema import CONFIG
from butane.translate.versions import VERSIONS

_PATHS = (
    "/etc/a",
    "/etc/b",
    "/etc/a/b",
    "/var/c",
    "/",
    "d",
    "/etc//e",
    "/etc/systemd/system/a.service",
)
_DEVICES = (
    "/dev/vda",
    "/dev/vdb",
    "/dev/mapper/a",
    "/dev/md/md-root",
    "/dev/disk/by-label/boot",
    "x",
)
_SOURCES = (
    "https://a.example/x",
    "http://a.example/y?z=1",
    "data:,x",
    "data:;base64,aGk=",
    "s3://b/k",
    "gs://b/k",
    "arn:aws:s3:::b/k",
    "ftp://a",
    "",
)
_UNIT = "[Service]\nA=b\n"
_POOLS: dict[str, tuple[object, ...]] = {
    "path": _PATHS,
    "target": (*_PATHS, ""),
    "device": (*_DEVICES, "/dev/dasda", "/dev/sda"),
    "devices": _DEVICES,
    "name": (
        "a",
        "b",
        "root",
        "a.service",
        "a@.service",
        "a@1.service",
        "a.conf",
        "a.container",
        "",
    ),
    "source": _SOURCES,
    "url": ("https://tang", "http://tang", "ftp://tang", ""),
    "inline": ("x", "a b c", "é" * 30, "x" * 200, '{"ignition": {"version": "3.4.0"}}', ""),
    "local": ("plain/one", "tree", "long.txt", "missing", "../out"),
    "contents": (_UNIT, f"{_UNIT}[Install]\nWantedBy=x\n", "[", ""),
    "contents_local": ("web.service", "missing", ""),
    "ssh_authorized_keys_local": ("keys.pub", "more-keys.pub", "missing"),
    "format": ("ext4", "xfs", "swap", "vfat", "btrfs", "none", "ntfs", ""),
    "label": ("root", "boot", "data", "a:b", "x" * 13, "x" * 40, ""),
    "compression": ("", "gzip", "xz"),
    "hash": ("sha512-" + "0" * 128, "sha256-" + "0" * 64, "md5-0", "x"),
    "level": ("raid1", "0", "linear", "x", ""),
    "layout": ("x86_64", "aarch64", "ppc64le", "s390x-eckd", "s390x-zfcp", "s390x-virt", "x"),
    "pin": ("tpm2", "tang", "own", ""),
    "config": ("{}", ""),
    "guid": ("01234567-89AB-CDEF-EDCB-A98765432101", "x", ""),
    "type_guid": ("01234567-89AB-CDEF-EDCB-A98765432101", "x", ""),
    "mode": (0o644, 0o755, 644, 755, 0o4755, 0o1777, -1, 99999),
    "number": (0, 1, 2, 4),
    "size_mib": (0, 1, 10, 4096, 9000),
    "start_mib": (0, 1, 5, 20),
    "http_proxy": ("http://p:1", "socks://p", ""),
    "https_proxy": ("https://p:1", "http://p:1", ":"),
    "advertisement": ("{}", "{", ""),
}


def configs() -> st.SearchStrategy[str]:
    """Make Butane texts of all versions."""
    minors = st.sampled_from(range(len(VERSIONS)))
    return minors.flatmap(_config)


def _config(minor: int) -> st.SearchStrategy[str]:
    head = {"variant": "fcos", "version": VERSIONS[minor]}
    body = _record(CONFIG, minor)
    return st.builds(_write, st.just(head), body, st.booleans())


def _write(head: dict[str, object], body: dict[str, object], block: bool) -> str:  # noqa: FBT001
    whole = {**body, **head}
    return yaml.safe_dump(whole, allow_unicode=True) if block else json.dumps(whole)


def _record(struct: Struct, minor: int) -> st.SearchStrategy[dict[str, object]]:
    fields = [each for each in fields_of(struct, minor) if each.name not in ("variant", "version")]
    return st.fixed_dictionaries({}, optional={x.name: _field(x, minor) for x in fields})


def _field(each: Field, minor: int) -> st.SearchStrategy[object]:
    if isinstance(each.type, Struct):
        one: st.SearchStrategy[object] = st.deferred(lambda: _record(_struct(each), minor))
    else:
        one = _scalar(each)
    return st.lists(one, max_size=3) if each.many else one


def _struct(each: Field) -> Struct:
    if not isinstance(each.type, Struct):
        raise TypeError(each.name)
    return each.type


def _scalar(each: Field) -> st.SearchStrategy[object]:
    if each.name in _POOLS:
        return st.sampled_from(_POOLS[each.name])
    if each.type == "boolean":
        return st.booleans()
    if each.type == "integer":
        return st.integers(-2, 5000)
    return st.one_of(st.sampled_from(("a", "b", "")), st.text(string.printable, max_size=8))
