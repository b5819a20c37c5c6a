"""Verb: compare the whole tree of an image on its node with the image as it was built."""

from collections.abc import Iterator

from deploy import node, report
from deploy.errors import DeployError
from deploy.image.cache import Cache
from deploy.image.compare import compare
from deploy.image.delta_build import Workshop
from deploy.image.local import open_image
from deploy.image.seen import read_seen
from deploy.image.tree import Tree
from deploy.plan import command
from deploy.plan.image import Image, short
from deploy.plan.state import NodeState
from deploy.project import Project
from deploy.remote.probe import probe
from deploy.remote.remote import Remote

_DIFFERS = 1


def image_verify(project: Project) -> int:
    """Tell every difference between IMAGE and what the node has for it; return 1 for any.

    Raises:
        DeployError: when the node does not have it, or it cannot be read.
    """
    with open_image(project) as export, node.reached(project) as remote:
        image = export.image
        state = probe(remote, project.settings.app, paths=(), credentials={})
        held = _held(image, state)
        built = Workshop(export).tree()
        differences = [
            f"{short(one)} {difference}"
            for one in held
            for difference in _verify(remote, export.cache, built, one)
        ]
    for line in differences:
        report.say(line)
    if differences:
        report.warn(f"{len(differences)} differences from {short(image.id)} as it was built")
        return _DIFFERS
    names = " and ".join(f"{short(one)} ({_way(one, image)})" for one in held)
    report.good(
        f"{names} on {project.settings.node_address}: {len(built.nodes)} paths, "
        f"all as in {short(image.id)}: content, modes, owners, times, attributes, links"
    )
    return 0


def _held(image: Image, state: NodeState) -> tuple[str, ...]:
    """Name what the node has for an image: itself, and what was put together to stand for it."""
    found = [one for one in state.images if image.id in (one, state.built.get(one))]
    if not found:
        raise DeployError(
            f"the node does not have {image.name} ({short(image.id)})", "`fab image-send` sends it"
        )
    return tuple(sorted(found))


def _way(held: str, image: Image) -> str:
    return "the image itself" if held == image.id else "an anchor and a delta"


def _verify(remote: Remote, cache: Cache, built: Tree, image_id: str) -> Iterator[str]:
    result = remote.run(command.verify_image(image_id))
    if result.code:
        raise DeployError(f"the node cannot show its image: {result.stderr.strip()}")
    with cache.workplace() as place:
        seen = read_seen(result.stdout, place)
    yield from compare(built, seen.tree, seen.sums)
