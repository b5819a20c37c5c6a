"""A command for a node: one of our scripts, its arguments, and what it reads."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Command:
    """Run a noun's `scripts/<script>.sh` as root; secrets and content go on stdin only."""

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


def verify_image(image_id: str) -> Command:
    """List all that an image holds on the node."""
    return Command("verify-image", (image_id,))


def prune(app: str) -> Command:
    """Remove what no release of an app needs."""
    return Command("prune", (app,))


def repair_storage(app: str) -> Command:
    """Stop an app, and take damaged layers out of podman's storage with all that needs them."""
    return Command("repair-storage", (app,))


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


def access_list(user: str) -> Command:
    """List the keys that let a user in."""
    return Command("access-list", (user,))


def access_add(user: str, name: str, line: str) -> Command:
    """Let in one more key, by a file of its own."""
    return Command("access-add", (user, name), f"{line}\n".encode())


def access_drop(user: str, keep: str, keys: tuple[str, ...]) -> Command:
    """Let keys in no more; `keep` (or any other, when empty) has to be let in afterwards."""
    return Command("access-drop", (user, keep), "".join(f"{key}\n" for key in keys).encode())


def certificate_stage(app: str, release: str, archive: bytes) -> Command:
    """Lay the next certificate of a release beside the present one."""
    return Command("certificate-stage", (app, release), archive)


def certificate_seal(app: str, release: str, password: bytes) -> Command:
    """Seal the next key's password; it goes on stdin."""
    return Command("certificate-seal", (app, release), password)


def certificate_swap(app: str, release: str, signal: str) -> Command:
    """Put the staged certificate in place and have the app read it."""
    return Command("certificate-swap", (app, release, signal))


def certificate_undo(app: str, release: str, signal: str) -> Command:
    """Put the certificate before a swap back."""
    return Command("certificate-undo", (app, release, signal))


def certificate_finish(app: str, release: str, audit: str) -> Command:
    """Write a proven certificate down; `audit` is a line of JSON."""
    return Command("certificate-finish", (app, release, audit))
