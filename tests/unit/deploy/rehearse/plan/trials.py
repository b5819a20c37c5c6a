"""Images that do not exist: what they would do with given settings."""

from collections.abc import Callable, Mapping

from deploy.rehearse.plan.observation import ImageConfig, Observation, Reply, Written
from deploy.rehearse.plan.search import Lines, Verdict, search

Image = Callable[[Lines], Observation]


def seen(**changes: object) -> Observation:
    """Make what a container did that serves plain HTTP at 8080."""
    usual: dict[str, object] = {
        "running": True,
        "exit_code": 0,
        "seconds": 1.5,
        "log": "",
        "listening": ("*:8080",),
        "replies": (reply(),),
        "written": (),
        "image": ImageConfig(),
    }
    return Observation.model_validate(usual | changes)


def ended(log: str = "", code: int = 1) -> Observation:
    """Make what a container did that ended at once."""
    return seen(running=False, exit_code=code, log=log, listening=(), replies=())


def reply(port: int = 8080, path: str = "/", status: int = 200, scheme: str = "http") -> Reply:
    return Reply.model_validate({"port": port, "scheme": scheme, "path": path, "status": status})


def wrote(*paths: str) -> tuple[Written, ...]:
    """Make written paths: `+` before one that is new, `/` after a folder."""
    return tuple(
        Written(path=f"/{one.strip('+/')}", folder=one.endswith("/"), new=one.startswith("+"))
        for one in paths
    )


def judge(image: Image) -> tuple[Verdict, list[Mapping[str, str]]]:
    """Try an image; return the verdict, and the settings of each trial."""
    trials = search(20)
    trial = next(trials)
    tried = []
    while True:
        tried.append(trial.lines)
        try:
            trial = trials.send(image(trial.lines))
        except StopIteration as done:
            return done.value, tried


def capabilities(lines: Lines) -> set[str]:
    return set(lines.get("CONTAINER_CAPABILITIES", "").replace(",", " ").split())
