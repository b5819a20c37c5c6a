"""Say what a try has found, and what to type."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.rehearse.plan.observation import Observation, Reply
from deploy.rehearse.plan.search import PODMANS, Lines, Verdict
from deploy.settings.capabilities import CAPABILITIES

_MOST_LINES = 8
_MOST_PATHS = 6
_SPEECH = {"http": "plain HTTP", "h2c": "HTTP/2 without TLS", "https": "TLS"}
Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an image cannot be deployed as it is, and what to do about it."""

    message: str
    hint: str


def describe(lines: Lines) -> str:
    """Name the hardening of a trial."""
    user = "the image's own user" if "CONTAINER_USER" in lines else "the app's user"
    root = "writable root" if "READ_ONLY" in lines else "read-only root"
    held = lines.get("CONTAINER_CAPABILITIES", "")
    capabilities = held if held != ", ".join(PODMANS) else "podman's usual"
    mounts = ", with its folders" if {"VOLUMES", "CONTAINER_TMPFS"} & {*lines} else ""
    return f"{user}, {root}, capabilities: {capabilities or 'none'}{mounts}"


def outcome(seen: Observation) -> str:
    """Say in a line what the container did."""
    if not seen.running:
        said = _last(seen, 1)
        return f"ends with exit code {seen.exit_code}{f': {said}' if said else ''}"
    if not seen.listening:
        return "runs, and listens at no port"
    answers = [one for one in seen.replies if one.path == "/"]
    shown = ", ".join(map(_answer, answers)) or "answers neither HTTP nor TLS"
    return f"listens at {', '.join(seen.listening)}; {shown}"


def rows(found: Verdict) -> Iterator[Row]:
    """Yield what was found, a row a subject."""
    image = found.free.image
    lines = found.lines or {}
    yield "usual hardening", _usual(found)
    yield "image's user", f"{image.user or 'root'}; {_runs_as(found)}"
    yield "listens at", ", ".join(_best_seen(found).listening) or "no port"
    yield "speaks", ", ".join(sorted({_speech(one) for one in _best_seen(found).replies})) or "-"
    if found.serves:
        yield "health path", _health(found.serves)
    yield "volumes of the image", _paths(image.volumes)
    yield "writes besides", _paths(found.writes.paths)
    for word in lines.get("CONTAINER_CAPABILITIES", "").replace(",", " ").split():
        yield "capability", f"{word}: it may {CAPABILITIES[word]}"
    if found.seen and (complaint := _complaint(found.seen)):
        yield "serves, but says", complaint


def notes(found: Verdict) -> Iterator[str]:
    """Yield what to know of the settings."""
    lines = found.lines or {}
    if lines.get("TLS") == "app":
        yield (
            "it speaks TLS itself. If it can serve plain HTTP, let it: the node's proxy ends TLS "
            "then. TLS=app needs an app that shows the certificate of /etc/tls (docs/settings.md)"
        )
    if found.serves and not found.serves.is_good:
        yield (
            f"no path that was asked for answers 2xx ({found.serves.path} answers "
            f"{found.serves.status}): set HEALTH_PATH to a path of the app that does"
        )
    if found.lines is not None and found.writes.elsewhere:
        what = "is lost at each restart" if "READ_ONLY" in lines else "the read-only root forbids"
        yield (
            f"it writes {_paths(found.writes.elsewhere)} beside files of the image, which {what}: "
            "if that is data, have it written to /data, which stays"
        )
    if found.lines is not None and found.writes.volumes and "VOLUMES" not in lines:
        yield (
            f"what it writes to {_paths(found.writes.volumes)} is lost at each restart: with empty "
            "folders there it does not serve. VOLUMES keeps them, once the app fills them itself"
        )
    if "VOLUMES" in lines:
        yield (
            "VOLUMES stay over deploys and are empty at first; move what is only a cache to "
            "CONTAINER_TMPFS"
        )


def problem(found: Verdict) -> Problem | None:
    """Say why the image never served; None where it did."""
    if found.lines is not None:
        return None
    seen = _best_seen(found)
    if found.serves:
        return Problem(
            f"the image served once ({_answer(found.serves)}) and then no more, with the same "
            "settings",
            "if it needs longer to start: `fab try --seconds 60`",
        )
    if not seen.running:
        said = _last(seen, _MOST_LINES)
        text = f"the image ends with exit code {seen.exit_code}, even without hardening"
        return Problem(
            f"{text}{f'; its last lines:{chr(10)}{said}' if said else ' and says nothing'}",
            "what it needs of its environment can be set as ENV_NAME=value in .env, and its "
            "command as CONTAINER_COMMAND; `podman run --rm IMAGE` shows the same here",
        )
    if not seen.listening:
        said = _last(seen, _MOST_LINES)
        return Problem(
            f"the image listens at no port{f'; its last lines:{chr(10)}{said}' if said else ''}",
            "if it needs longer to start: `fab try --seconds 60`; have it listen at the port that "
            "it finds in its environment as PORT",
        )
    if not seen.reachable:
        return Problem(
            f"the image listens at {', '.join(seen.listening)} alone, which only the container "
            "itself reaches",
            "have it listen at 0.0.0.0 (often an option or a variable such as HOST, BIND or "
            "--host; ENV_HOST=0.0.0.0 in .env sets HOST)",
        )
    return Problem(
        f"the image listens at {', '.join(seen.listening)}, and speaks neither HTTP nor TLS there",
        "corefab serves web apps: have it answer HTTP at the port it finds as PORT",
    )


def _best_seen(found: Verdict) -> Observation:
    if found.seen:
        return found.seen
    return found.free if found.free.running or not found.usual.running else found.usual


def _usual(found: Verdict) -> str:
    if found.lines == {}:
        return "serves with it: nothing to set"
    if found.seen and not {"CONTAINER_USER", "READ_ONLY", "CONTAINER_CAPABILITIES"} & {
        *(found.lines or {})
    }:
        return "serves with it, and the settings below"
    return f"does not serve with it: {outcome(found.usual)}"


def _runs_as(found: Verdict) -> str:
    if found.lines is None:
        return "it does not serve as the app's own user either"
    if "CONTAINER_USER" in found.lines:
        return "it does not serve as the app's own user"
    return "it serves as the app's own user as well"


def _speech(one: Reply) -> str:
    return f"{_SPEECH[one.scheme]} at {one.port}"


def _answer(one: Reply) -> str:
    return f"{_speech(one)}: {one.path} answers {one.status}"


def _health(reply: Reply) -> str:
    return f"{reply.path} answers {reply.status}"


def _paths(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
    return f"{', '.join(paths[:_MOST_PATHS])}{more}" or "none"


def _complaint(seen: Observation) -> str:
    words = ("denied", "not permitted", "read-only file system")
    found = (line for line in seen.log.splitlines() if any(word in line.lower() for word in words))
    return next(found, "").strip()


def _last(seen: Observation, count: int) -> str:
    return "\n".join(line for line in seen.log.strip().splitlines()[-count:] if line.strip())
