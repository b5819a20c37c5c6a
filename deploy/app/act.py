"""The commands for a node: a function for each script."""

from deploy.node.command import Command


def stage(
    app: str, release: str, previous: str, credentials: tuple[str, ...], archive: bytes
) -> Command:
    """Take a release's files in, after the node's Quadlet generator has accepted its units."""
    return Command("stage", (app, release, previous, *credentials), archive)


def seal(app: str, release: str, credential: str, value: bytes) -> Command:
    """Seal a credential to the node; the value goes on stdin."""
    return Command("seal", (app, release, credential), value)


def start(app: str, release: str, slot: str, switch: str, guards: tuple[str, ...] = ()) -> Command:
    """Start a staged release in the slot that does not serve; `guards` are for one that stops."""
    lines = "".join(f"{line}\n" for line in guards)
    return Command("start", (app, release, slot, switch), lines.encode())


def move(app: str, release: str) -> Command:
    """Make the front door lead to a release that was proven in its slot."""
    return Command("move", (app, release))


def retire(app: str, seconds: int) -> Command:
    """Let the slot that no longer serves end its connections, and stop it."""
    return Command("retire", (app, str(seconds)))


def logs(app: str, lines: int, release: str = "") -> Command:
    """Read the last lines of a release; without one, of what serves."""
    return Command("logs", (app, str(lines), release))


def undo(app: str) -> Command:
    """Put back what served before an unfinished deploy."""
    return Command("undo", (app,))


def finish(app: str, release: str, keep: int, audit: str, manifest: bytes) -> Command:
    """Write the release down and drop the oldest beyond `keep`; `audit` is a line of JSON."""
    return Command("finish", (app, release, str(keep), audit), manifest)
