"""Where the users of a node, and their keys, are others than its spec says."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.difference import Difference, difference
from deploy.machine.drift.plan.inspection import Inspection
from deploy.spec.plan.machine import Person

_FIRST_PERSON, _LAST_PERSON = 1000, 60_000
_STOCK_PERSON = "core"
# As the users that apps bring have them.
_SHELLS_OF_NOBODY = ("/nologin", "/false")
_FILE_OF_THE_SPEC = ".ssh/authorized_keys.d/ignition"


def key_of(line: str) -> str:
    """Take type and key of an SSH key's line: the comment does not count."""
    return " ".join(line.split()[:2])


def people_drift(people: Iterable[Person], found: Inspection) -> Iterator[Difference]:
    """Compare users, their groups and their SSH keys."""
    for person in people:
        there = found.users.get(person.name)
        if there is None:
            yield difference(("user", person.name), "a user", "absent", None, "reinstall")
            continue
        lacking = sorted(set(person.groups) - set(there.groups))
        if lacking:
            expected, held = ", ".join(person.groups), ", ".join(there.groups)
            yield difference(("user", person.name), f"in {expected}", f"in {held}", None, "by hand")
        yield from _keys(person, found)


def _keys(person: Person, found: Inspection) -> Iterator[Difference]:
    held = {key_of(key.line): key for key in found.keys if key.user == person.name}
    wanted = {key_of(line): line for line in person.keys}
    for key in sorted(wanted.keys() - held.keys()):
        yield difference(
            ("key", f"{person.name}: {wanted[key]}"), "may log in", "absent", None, "fab converge"
        )
    for key in sorted(held.keys() - wanted.keys()):
        one = held[key]
        ours = one.file.endswith(_FILE_OF_THE_SPEC)
        yield difference(
            ("key", f"{person.name}: {one.line}"),
            "absent",
            f"in {one.file}",
            found.since(one),
            "fab converge" if ours else "by hand",
        )


def strangers(people: Iterable[Person], found: Inspection) -> Iterator[Difference]:
    """Find users that no spec and no app brought."""
    known = {person.name for person in people} | {_STOCK_PERSON}
    for one in found.people:
        person = _FIRST_PERSON <= one.uid < _LAST_PERSON
        if person and one.name not in known and not one.login_shell.endswith(_SHELLS_OF_NOBODY):
            held = f"uid {one.uid}, {one.login_shell}"
            yield difference(("user", one.name), "absent", held, None, "reinstall")
