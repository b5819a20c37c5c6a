"""Compare a node's clock with this machine's."""

from datetime import datetime, timedelta


def difference(clock: int, now: datetime, *, allowed: timedelta) -> str:
    """Say how far a node's clock (seconds since 1970) is off; empty when within `allowed`."""
    ahead = timedelta(seconds=clock - int(now.timestamp()))
    if abs(ahead) <= allowed:
        return ""
    word = "ahead of" if ahead > timedelta() else "behind"
    return f"the node's clock is {abs(ahead)} {word} this machine's"
