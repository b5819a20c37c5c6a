"""Find the most hardening with which an image serves."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from deploy.rehearse.plan.observation import Observation, Reply
from deploy.rehearse.plan.writes import Writes, writes_of

# What podman gives a container that drops none.
PODMANS = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
USUAL_PORT = 8080
# What the proxy gets along with best comes first.
_SCHEMES = ("http", "h2c", "https")
_BIND = "NET_BIND_SERVICE"
_PRIVILEGED_PORTS = 1024
# What a server needs that starts as root, and serves as another user.
_STARTS_AS_ROOT = ("SETGID", "SETUID")
_CAPABILITIES, _USER, _ROOT = "CONTAINER_CAPABILITIES", "CONTAINER_USER", "READ_ONLY"
_OWN, _WRITABLE = {_USER: "image"}, {_ROOT: "false"}
_MARGIN_SECONDS = 5.0

Lines = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trial:
    """A run of the image with these settings, for so long at most."""

    lines: Lines
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: `lines` are the settings with which it serves, None where it never did.

    `usual` is what it did with the usual hardening, `free` with podman's own, as the image's user.
    `seen` is what it did with `lines`. `serves` is the reply to expect of it.
    """

    usual: Observation
    free: Observation
    writes: Writes
    lines: Lines | None = None
    serves: Reply | None = None
    seen: Observation | None = None


Search = Generator[Trial, Observation, Verdict]
_Step = Generator[Trial, Observation, Observation | None]


def search(seconds: float) -> Search:
    """Yield one trial after another, each to be answered by what was seen, and return the verdict.

    First as a deploy runs it, then with all that podman allows; between these two lies the answer.
    """
    usual = yield Trial({}, seconds)
    free = yield Trial({**_OWN, **_WRITABLE, **_capable(PODMANS)}, seconds)
    best = free if _best(free) else usual
    writes = writes_of(free)
    reply = _best(best)
    if reply is None:
        return Verdict(usual, free, writes)
    limit = min(seconds, 2 * best.seconds + _MARGIN_SECONDS)
    place = _place(reply)
    mounts = writes.lines
    if not mounts and _same(usual, reply):
        return Verdict(usual, free, writes, place, reply, usual)
    # Without it the kernel refuses such a port to everyone.
    refused = reply.port < _PRIVILEGED_PORTS and not _same(usual, reply)
    binds = (_BIND,) if refused else ()
    for user in ({}, _OWN):
        lines = {**place, **mounts, **user, **_capable(binds)}
        seen = yield from _try(lines, reply, limit)
        if seen:
            return Verdict(usual, free, writes, lines, reply, seen)
    for root in (mounts, mounts | _WRITABLE, _WRITABLE):
        lines = {**place, **root, **_OWN}
        needed = yield from _capabilities(lines, reply, limit, binds)
        if needed is not None:
            lines = lines | _capable(needed)
            seen = yield from _try(lines, reply, limit)
            return Verdict(usual, free, writes, lines, reply, seen)
    return Verdict(usual, free, writes, serves=reply)


def _capabilities(
    lines: Lines, reply: Reply, limit: float, binds: tuple[str, ...]
) -> Generator[Trial, Observation, tuple[str, ...] | None]:
    """Find the capabilities without which it does not serve; None where it does not with all.

    Likely ones first; then leave out halves of them, and single ones.
    """
    for likely in ((), _STARTS_AS_ROOT, ("CHOWN", *_STARTS_AS_ROOT), PODMANS):
        held = tuple(one for one in likely if one not in binds)
        if (yield from _try({**lines, **_capable((*held, *binds))}, reply, limit)):
            break
    else:
        return None
    size = len(held)
    while size:
        for start in range(len(held) - size, -1, -size):
            rest = held[:start] + held[start + size :]
            if (yield from _try({**lines, **_capable((*rest, *binds))}, reply, limit)):
                held = rest
        size //= 2
    return (*held, *binds)


def _try(lines: Lines, reply: Reply, limit: float) -> _Step:
    seen = yield Trial(lines, limit)
    return seen if _same(seen, reply) else None


def _best(seen: Observation) -> Reply | None:
    """Choose the reply to build on: plain HTTP first, then h2c; at the likeliest port."""
    declared = {one.partition("/")[0] for one in seen.image.ports}
    found = [one for one in seen.replies if one.port in seen.reachable] if seen.running else []
    return min(
        found,
        key=lambda one: (
            _SCHEMES.index(one.scheme),
            one.port != USUAL_PORT,
            str(one.port) not in declared,
            one.port,
            not one.is_good,
        ),
        default=None,
    )


def _same(seen: Observation, reply: Reply) -> bool:
    """Check that it answers as well as it did; without any success then, that it answers."""
    found = [one for one in seen.replies_at(reply.port) if one.scheme == reply.scheme]
    if not seen.running or reply.port not in seen.reachable:
        return False
    if not reply.is_good:
        return any(one.status == reply.status for one in found)
    return any(one.path == reply.path and one.is_good for one in found)


def _place(reply: Reply) -> dict[str, str]:
    """Say where it answers, where that is not the default."""
    path = {"HEALTH_PATH": reply.path} if reply.path != "/" and reply.is_good else {}
    if reply.scheme == "https":
        return {"TLS": "app", "CONTAINER_HTTPS_PORT": str(reply.port), **path}
    port = f"{'h2c:' if reply.scheme == 'h2c' else ''}{reply.port}"
    return {**({} if port == str(USUAL_PORT) else {"CONTAINER_PORT": port}), **path}


def _capable(capabilities: Sequence[str]) -> dict[str, str]:
    return {_CAPABILITIES: ", ".join(sorted(capabilities))} if capabilities else {}
