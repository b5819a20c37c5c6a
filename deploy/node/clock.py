"""A node's clock beside this machine's."""

from datetime import datetime, timedelta


def difference(clock: int, now: datetime, *, allowed: timedelta) -> str:
    """Say how far a node's clock, in seconds of the epoch, is off; empty within what is allowed."""
    ahead = timedelta(seconds=clock - int(now.timestamp()))
    if abs(ahead) <= allowed:
        return ""
    word = "ahead of" if ahead > timedelta() else "behind"
    return f"the node's clock is {abs(ahead)} {word} this machine's"
