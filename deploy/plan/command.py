"""A command for a node: one of our scripts, its arguments, and what it reads."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Command:
    """Run `deploy/remote/scripts/<script>.sh` as root; secrets and content go on stdin only."""

    script: str
    arguments: tuple[str, ...] = ()
    stdin: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))


def stage(
    app: str, release: str, previous: str, credentials: tuple[str, ...], archive: bytes
) -> Command:
    """Take a release's files in, after the node's Quadlet generator has accepted its units."""
    return Command("stage", (app, release, previous, *credentials), archive)


def tag_image(app: str, release: str, image_id: str) -> Command:
    """Give a release its image, by id."""
    return Command("tag-image", (app, release, image_id))


def receive_image(app: str, image_id: str) -> Command:
    """Take in what the node lacks of an image; proven, it is named `localhost/<app>:sent`."""
    return Command("receive-image", (app, image_id))


def prune(app: str) -> Command:
    """Remove what no release of an app needs."""
    return Command("prune", (app,))


def seal(app: str, release: str, credential: str, value: bytes) -> Command:
    """Seal a credential to the node; the value goes on stdin."""
    return Command("seal", (app, release, credential), value)


def switch(app: str, release: str) -> Command:
    """Make a staged release the one that serves."""
    return Command("switch", (app, release))


def undo(app: str) -> Command:
    """Put back what served before an unfinished deploy."""
    return Command("undo", (app,))


def finish(app: str, release: str, keep: int, audit: str, manifest: bytes) -> Command:
    """Write the release down and drop the oldest beyond `keep`; `audit` is a line of JSON."""
    return Command("finish", (app, release, str(keep), audit), manifest)


def audit(line: str) -> Command:
    """Append a line of JSON to the node's journal of changes."""
    return Command("audit", (line,))


def converge(name: str, gate_seconds: int, archive: bytes) -> Command:
    """Do what brings a machine in line; put back unless `keep` comes from a new login in time."""
    return Command("converge", ("apply", name, str(gate_seconds)), archive)


def keep(name: str, line: str) -> Command:
    """Say that a convergence is proven; `line` of JSON goes to the journal of changes."""
    return Command("converge", ("keep", name, line))


def put_back(name: str) -> Command:
    """Put back what was before a convergence."""
    return Command("converge", ("put-back", name))
