"""Compare the users of a node, their groups and their SSH keys with a machine spec."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.difference import Difference, difference
from deploy.machine.drift.plan.inspection import Inspection
from deploy.spec.access_key import identity_of, is_ignored, read_key
from deploy.spec.plan.machine import Person

_FIRST_PERSON, _LAST_PERSON = 1000, 60_000
_STOCK_PERSON = "core"
# The shells of users that cannot log in, such as those of apps.
_NO_LOGIN = ("/nologin", "/false")
_FILE_OF_THE_SPEC = ".ssh/authorized_keys.d/ignition"


def people_drift(people: Iterable[Person], found: Inspection) -> Iterator[Difference]:
    """Compare the spec's users, their groups and their SSH keys."""
    for person in people:
        there = found.users.get(person.name)
        if there is None:
            yield difference(("user", person.name), "a user", "absent", None, "reinstall")
            continue
        lacking = sorted(set(person.groups) - set(there.groups))
        if lacking:
            expected, is_in = ", ".join(person.groups), ", ".join(there.groups)
            yield difference(
                ("user", person.name), f"in {expected}", f"in {is_in}", None, "by hand"
            )
        yield from _keys(person, found)


def _keys(person: Person, found: Inspection) -> Iterator[Difference]:
    lines = [one for one in found.keys if one.user == person.name and not is_ignored(one.line)]
    there = {identity_of(one.line) for one in lines}
    expected = {identity_of(line): line for line in person.keys}
    for key in sorted(expected.keys() - there):
        yield difference(
            ("key", f"{person.name}: {expected[key]}"), "may log in", "absent", None, "fab converge"
        )
    for one in sorted(lines, key=lambda one: (identity_of(one.line), one.file)):
        if identity_of(one.line) in expected:
            continue
        ours = one.file.endswith(_FILE_OF_THE_SPEC)
        unclear = "" if read_key(one.line) else ", not understood: it may let someone log in"
        yield difference(
            ("key", f"{person.name}: {one.line}"),
            "absent",
            f"in {one.file}{unclear}",
            found.since(one),
            "fab converge" if ours else "by hand",
        )


def strangers(people: Iterable[Person], found: Inspection) -> Iterator[Difference]:
    """Find users who can log in and are neither of the spec nor of an app."""
    known = {person.name for person in people} | {_STOCK_PERSON}
    for one in found.people:
        person = _FIRST_PERSON <= one.uid < _LAST_PERSON
        if person and one.name not in known and not one.login_shell.endswith(_NO_LOGIN):
            shown = f"uid {one.uid}, {one.login_shell}"
            yield difference(("user", one.name), "absent", shown, None, "reinstall")
