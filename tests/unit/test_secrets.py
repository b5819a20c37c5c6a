"""No value of the product shows a secret when it is printed, as a traceback's context does."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import butane
import certs
import container
import deploy
import rehearsal

_SUSPECT = re.compile(r"pass|secret|private|token|stdin|content|value|data$|plain", re.IGNORECASE)
# Named like a secret, or bytes, and none.
_PUBLIC = {
    "Chain.certificates": "certificates",
    "Challenge.content": "what an authority fetches from port 80 or the DNS",
    "Disk.contents": "names of partitions",
    "Field.plain": "yes or no",
    "OsImage.metadata": "an address",
    "Pair.chain": "certificates",
    "Protection.iv": "stands in the key file",
    "Protection.salt": "stands in the key file",
    "Sample.value": "a number",
    "Setting.value": "a line of a unit, which every user of a node can read",
    "Settings.plain_key": "a path",
    "Source.value": "a SecretStr",
    "Wanted.password_in_environment": "yes or no",
    "_EncryptedPrivateKeyInfo.content": "encrypted",
    "_Encryption.iv": "stands in the key file",
    "_Mount.private": "yes or no",
    "_Parts.config": "an image's config",
    "_Pbkdf2Parameters.salt": "stands in the key file",
    "_Reader._data": "a unit, which every user of a node can read",
}


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def dataclasses_of_the_product() -> Iterator[type]:
    for package in (butane, certs, container, deploy, rehearsal):
        for module in modules(package):
            for one in vars(module).values():
                if isinstance(one, type) and dataclasses.is_dataclass(one):
                    yield one


def shows(field: "dataclasses.Field[object]") -> bool:
    is_bytes = str(field.type) in {"bytes", "bytes | None", "<class 'bytes'>"}
    return field.repr and (is_bytes or bool(_SUSPECT.search(field.name)))


def test_no_dataclass_shows_a_secret() -> None:
    found = {
        f"{one.__name__}.{field.name}"
        for one in dataclasses_of_the_product()
        for field in dataclasses.fields(one)
        if shows(field)
    }

    assert found - _PUBLIC.keys() == set()
