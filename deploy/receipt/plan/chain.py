"""What is wrong with the receipts of an app: those that are kept here, and those of its node."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from deploy.node.answer import ReleaseName, Value
from deploy.node.release import Manifest
from deploy.receipt.plan.receipt import (
    Receipt,
    Signed,
    differences,
    differences_of_copy,
)

Place = Literal["here", "on the node"]
# As the manifests of releases that a node made by itself name their maker.
_BY_THE_NODE = "the node"


@dataclass(frozen=True, slots=True)
class Checked:
    """A copy of a receipt and who signed it; what is wrong with the copy, if anything."""

    signed: Signed
    receipt: Receipt | None = None
    signer: str = ""
    problem: str = ""

    @property
    def valid(self) -> Receipt | None:
        """The receipt, where nothing is wrong with it."""
        return None if self.problem else self.receipt


class NodeRelease(Value):
    """A release that a node keeps; it may serve, have failed, or be in the middle of a deploy."""

    release: ReleaseName
    manifest: Manifest
    serves: bool
    failed: bool
    unfinished: bool


Copies = Mapping[str, Checked]


@dataclass(frozen=True, slots=True)
class Receipts:
    """All receipts by release: those kept here, those of the node; None where it was not asked."""

    here: Copies
    there: Copies | None

    @property
    def places(self) -> tuple[tuple[Place, Copies], ...]:
        """Each place that was looked at, with its copies."""
        return (
            ("here", self.here),
            *((("on the node", self.there),) if self.there is not None else ()),
        )

    @property
    def valid(self) -> dict[str, Checked]:
        """One valid copy of each receipt, in the order of their numbers."""
        found = {
            name: one
            for _, copies in reversed(self.places)
            for name, one in copies.items()
            if one.valid
        }
        return dict(sorted(found.items(), key=lambda item: _place_of(item[1])))

    @property
    def receipts(self) -> dict[str, Receipt]:
        """The valid receipts."""
        return {name: one.receipt for name, one in self.valid.items() if one.receipt}


def problems(receipts: Receipts) -> Iterator[str]:
    """Name each receipt that was changed, is missing, or is not where it belongs."""
    for place, copies in receipts.places:
        for name, one in sorted(copies.items()):
            if one.problem:
                yield f"the receipt of release {name} {place}: {one.problem}"
    for name, receipt in receipts.receipts.items():
        yield from _places(receipts, name, f"receipt {receipt.number} (release {name})")
    yield from _order(receipts)
    yield from _copies(receipts.receipts)


def unsigned(
    releases: Iterable[NodeRelease], receipts: Receipts, *, follows: bool
) -> Iterator[tuple[str, bool]]:
    """Name each release of a node that no receipt stands for, and whether that is wrong.

    It is not where the node made the release by itself (`follows`), or there were no receipts yet.
    """
    known = receipts.receipts
    named = known.keys() | receipts.here.keys() | (receipts.there or {}).keys()
    first = min(known, default="")
    for one in releases:
        name, made_by = one.release, one.manifest.by
        if one.unfinished or (one.failed and not one.serves):
            continue
        if name in known:
            if found := ", ".join(differences(one.manifest, known[name])):
                yield f"release {name} of the node is not what its receipt states: {found}", True
        elif name in named:
            continue
        elif made_by == _BY_THE_NODE and follows:
            yield (
                f"release {name} has no receipt: the node took it from its registry by itself",
                False,
            )
        elif name < first:
            yield f"release {name} has no receipt: it is from before the first one", False
        else:
            yield f"release {name}, made by {made_by}, has no receipt", True


def to_copy(receipts: Receipts, place: Place) -> tuple[Signed, ...]:
    """Choose the valid receipts that are missing or changed at a place."""
    copies = dict(receipts.places)[place]
    return tuple(
        one.signed
        for name, one in receipts.valid.items()
        if name not in copies or copies[name].problem
    )


def _places(receipts: Receipts, name: str, which: str) -> Iterator[str]:
    for place, copies in receipts.places:
        if name not in copies:
            yield f"{which} is missing {place}"
    valid = [
        (place, copies[name])
        for place, copies in receipts.places
        if name in copies and copies[name].valid
    ]
    if len({one.signed.content for _, one in valid}) > 1:
        versions = ", ".join(f"{place} signed by {one.signer}" for place, one in valid)
        yield f"{which} has two versions: {versions}"


def _order(receipts: Receipts) -> Iterator[str]:
    """Follow the chain by the numbers; a gap that a changed receipt explains is not named again."""
    changed = {
        name for _, copies in receipts.places for name in copies if name not in receipts.receipts
    }
    valid, number, before, hash_before = receipts.valid, 0, "", ""
    for name, receipt in receipts.receipts.items():
        between = sum(before < other < name for other in changed)
        if receipt.number == number:
            yield f"releases {before} and {name} have receipts with the same number, {number}"
        elif receipt.number > number + 1:
            if between < receipt.number - number - 1:
                yield f"{_numbers(number + 1, receipt.number - 1)} missing everywhere"
        elif receipt.previous != hash_before:
            what = f"follow receipt {number} (release {before})" if before else "begin a chain"
            yield f"receipt {receipt.number} (release {name}) does not {what}: it names another one"
        number, before, hash_before = receipt.number, name, valid[name].signed.sha256


def _copies(known: Mapping[str, Receipt]) -> Iterator[str]:
    for name, receipt in known.items():
        original = known.get(receipt.copies)
        if original and (found := differences_of_copy(receipt.manifest, original)):
            yield (
                f"release {name} went back to {receipt.copies}, and is not what the receipt of "
                f"that states: {', '.join(found)}"
            )


def _numbers(first: int, last: int) -> str:
    return f"receipt {first} is" if first == last else f"receipts {first} to {last} are"


def _place_of(one: Checked) -> tuple[int, str]:
    return (one.receipt.number if one.receipt else 0, one.signed.release)
