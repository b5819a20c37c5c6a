"""Compare the node's copy of IMAGE with the local image, path by path."""

from collections.abc import Iterator

from deploy.console import output
from deploy.errors import DeployError
from deploy.image import act
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.open import open_image
from deploy.image.plan.image import short
from deploy.image.tree.answer import read_node_tree, tar_bytes
from deploy.image.tree.compare import compare
from deploy.image.tree.index import Index, read_index
from deploy.image.tree.tree import Tree, flatten
from deploy.node import session
from deploy.node.remote import Remote
from deploy.node.state import probe
from deploy.project import Project

_DIFFERS = 1


def image_verify(project: Project) -> int:
    """Print every difference between IMAGE and the node's copy; return 1 if they differ.

    Raises:
        DeployError: when the node does not have the image, or it cannot be read.
    """
    with open_image(project) as export, session.open_session(project) as remote:
        image = export.image
        state = probe(remote, project.settings.app, paths=(), credentials={})
        if image.id not in state.images:
            raise DeployError(
                f"the node does not have {image.name} ({short(image.id)})",
                "run `fab image-send` first",
            )
        built = _built(export)
        differences = tuple(_verify(remote, export.cache, built, image.id))
    for line in differences:
        output.say(line)
    if differences:
        output.warn(
            f"{len(differences)} differences between {short(image.id)} here and on the node"
        )
        return _DIFFERS
    output.good(
        f"{short(image.id)} on {project.settings.node_address}: {len(built.nodes)} paths, "
        "no differences in content, modes, owners, times, attributes, links"
    )
    return 0


def _built(export: Export) -> Tree:
    """Build the image's file tree from its local layers."""
    export.cache_layers(export.image.layers)
    return flatten(_index(export.cache, diff_id) for diff_id in export.image.layers)


def _index(cache: Cache, diff_id: str) -> Index:
    file = cache.layer(diff_id)
    if file is None:
        raise DeployError(
            f"layer {short(diff_id)} is no longer in {cache.folder}", "run the command again"
        )
    return read_index(diff_id, file)


def _verify(remote: Remote, cache: Cache, built: Tree, image_id: str) -> Iterator[str]:
    answer = remote.checked(act.verify_image(image_id), f"reading image {short(image_id)}")
    with cache.temporary_folder() as place:
        on_node = read_node_tree(answer, place, most_bytes=tar_bytes(built))
    yield from compare(built, on_node.tree, on_node.sums)
