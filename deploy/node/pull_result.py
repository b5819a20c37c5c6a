"""What came of a node's look at the tag that an app follows."""

from typing import Literal

from deploy.node.answer import Digest, Moment, OneLine, ReleaseName
from deploy.node.schema import Versioned

# Results with which nothing is wrong.
WELL = ("same", "healed", "updated", "waiting")


class Look(Versioned):
    """What came of a look at a tag; `release` serves, `digest` and `image_id` are what it names."""

    noun = "result of its updater"
    at: Moment
    result: Literal[
        "same", "healed", "updated", "waiting", "held-back", "refused", "no-room", "unreachable",
        "node-fault", "failed",
    ]  # fmt: skip
    why: str
    reference: OneLine
    digest: Literal[""] | Digest
    image_id: Literal[""] | Digest
    release: Literal[""] | ReleaseName
