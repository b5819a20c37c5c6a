"""What came of a node's look at the tag that an app follows, or at that of its own bundle."""

from typing import Literal

from deploy.node.answer import Count, Digest, Moment, OneLine, ReleaseName
from deploy.node.schema import Versioned

# Results with which nothing is wrong.
WELL = ("same", "healed", "updated", "waiting")


class _Looked(Versioned):
    noun = "result of its updater"
    at: Moment
    result: Literal[
        "same", "healed", "updated", "waiting", "held-back", "refused", "no-room", "unreachable",
        "node-fault", "failed",
    ]  # fmt: skip
    why: str
    reference: OneLine
    digest: Literal[""] | Digest


class Look(_Looked):
    """What came of a look at a tag; `release` serves, `digest` and `image_id` are what it names."""

    image_id: Literal[""] | Digest
    release: Literal[""] | ReleaseName


class BundleLook(_Looked):
    """What came of a look at the node's bundle; `spec` is the one that the machine has."""

    serial: Count
    spec: OneLine
