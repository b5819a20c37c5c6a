"""Compare the users of a node, their groups and their SSH keys with a machine spec."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.difference import Difference, Remedy
from deploy.machine.drift.plan.inspection import Inspection
from deploy.spec.access_key import identity_of, is_ignored, read_key
from deploy.spec.plan.machine import Person

_FIRST_PERSON, _LAST_PERSON = 1000, 60_000
_STOCK_PERSON = "core"
# The shells of users that cannot log in, such as those of apps.
_NO_LOGIN = ("/nologin", "/false")
_FILE_OF_THE_SPEC = ".ssh/authorized_keys.d/ignition"


def people_drift(people: Iterable[Person], found: Inspection) -> Iterator[Difference]:
    """Compare the spec's users, groups and SSH keys; find users of neither the spec nor an app."""
    people = tuple(people)
    known = {_STOCK_PERSON}
    for person in people:
        known.add(person.name)
        groups = found.groups.get(person.name)
        if groups is None:
            yield Difference("user", person.name, "a user", "absent", remedy="reinstall")
            continue
        if not set(person.groups) <= set(groups):
            expected, is_in = f"in {', '.join(person.groups)}", f"in {', '.join(groups)}"
            yield Difference("user", person.name, expected, is_in, remedy="by hand")
        yield from _keys(person, found)
    for name in sorted({one.user for one in found.keys} - {person.name for person in people}):
        yield from _keys(Person(name, (), ()), found, of_spec=False)
    for one in found.people:
        is_person = _FIRST_PERSON <= one.uid < _LAST_PERSON
        if is_person and one.name not in known and not one.login_shell.endswith(_NO_LOGIN):
            is_now = f"uid {one.uid}, {one.login_shell}"
            yield Difference("user", one.name, "absent", is_now, remedy="reinstall")


def _keys(person: Person, found: Inspection, *, of_spec: bool = True) -> Iterator[Difference]:
    lines = [one for one in found.keys if one.user == person.name and not is_ignored(one.line)]
    there = {identity_of(one.line) for one in lines}
    expected = {identity_of(line): line for line in person.keys}
    for key in sorted(expected.keys() - there):
        yield Difference("key", f"{person.name}: {expected[key]}", "may log in", "absent")
    for one in sorted(lines, key=lambda one: (identity_of(one.line), one.file)):
        if identity_of(one.line) not in expected:
            ours = of_spec and one.file.endswith(_FILE_OF_THE_SPEC)
            remedy: Remedy = "fab converge" if ours else "by hand"
            unclear = "" if read_key(one.line) else ", not understood: it may let someone log in"
            subject, is_now = f"{person.name}: {one.line}", f"in {one.file}{unclear}"
            yield Difference("key", subject, "absent", is_now, found.since(one), remedy)
