"""Commands that run an app's scripts on its node."""

from deploy.node.command import Command


def stage(
    app: str, release: str, previous: str, credentials: tuple[str, ...], archive: bytes
) -> Command:
    """Unpack a release's files, once the node's Quadlet generator accepts its units."""
    return Command("stage", (app, release, previous, *credentials), archive)


def seal(app: str, release: str, credential: str, value: bytes) -> Command:
    """Encrypt a credential to the machine; the value goes on stdin."""
    return Command("seal", (app, release, credential), value)


def start(app: str, release: str, slot: str, switch: str, guards: tuple[str, ...] = ()) -> Command:
    """Start a staged release in a slot; `guards` undo it on the node if the connection ends."""
    lines = "".join(f"{line}\n" for line in guards)
    return Command("start", (app, release, slot, switch), lines.encode())


def move(app: str, release: str) -> Command:
    """Move the front door to a release that was checked in its slot."""
    return Command("move", (app, release))


def retire(app: str, seconds: int) -> Command:
    """Drain the slot that no longer serves for up to `seconds`, and stop it."""
    return Command("retire", (app, str(seconds)))


def logs(app: str, lines: int, release: str = "") -> Command:
    """Read the last log lines of a release; by default, of the one that serves."""
    return Command("logs", (app, str(lines), release))


def undo(app: str) -> Command:
    """Undo an unfinished deploy: the release before it serves again."""
    return Command("undo", (app,))


def finish(app: str, release: str, keep: int, audit: str, manifest: bytes) -> Command:
    """Record the release and remove the oldest beyond `keep`; `audit` is a journal line in JSON."""
    return Command("finish", (app, release, str(keep), audit), manifest)
