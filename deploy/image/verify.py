"""Compare the node's copy of IMAGE with the local image, path by path."""

from collections.abc import Iterator

from deploy.console import output
from deploy.errors import DeployError
from deploy.image import act
from deploy.image.layers.cache import Cache
from deploy.image.open import open_image
from deploy.image.plan.image import short
from deploy.image.tree.answer import read_node_tree, tar_bytes
from deploy.image.tree.compare import compare
from deploy.image.tree.entries import Entry, TreeError, read_layer
from deploy.image.tree.tree import flatten
from deploy.node import session
from deploy.node.state import probe
from deploy.project import Project

_DIFFERENT, _UNKNOWN = 1, 3


def image_verify(project: Project) -> int:
    """Print every difference between IMAGE and the node's copy.

    Returns 0 when there are none, 1 when they differ, 3 when they cannot be compared.

    Raises:
        DeployError: when the node does not have the image, or it cannot be read.
    """
    try:
        return _verify(project)
    except TreeError as error:
        output.warn(
            f"{project.settings.image} cannot be compared path by path, so nothing is known of "
            f"the node's copy: {error.message}"
        )
        return _UNKNOWN


def _verify(project: Project) -> int:
    with open_image(project) as export, session.open_session(project) as remote:
        state = probe(remote, project.settings.app, paths=(), credentials={})
        export.choose(state.platform)
        image = export.image
        if image.id not in state.images:
            raise DeployError(
                f"the node does not have {image.name} ({short(image.id)})",
                "run `fab image-send` first",
            )
        export.cache_layers(image.layers)
        built = flatten(_entries(export.cache, diff_id) for diff_id in image.layers)
        answer = remote.checked(act.verify_image(image.id), f"reading image {short(image.id)}")
        with export.cache.temporary_folder() as place:
            on_node = read_node_tree(answer, place, most_bytes=tar_bytes(built))
            differences = tuple(compare(built, on_node))
    for line in differences:
        output.say(line)
    if differences:
        output.warn(
            f"{len(differences)} differences between {short(image.id)} here and on the node"
        )
        return _DIFFERENT
    output.good(
        f"{short(image.id)} on {project.settings.node_address}: {len(built)} paths, "
        "no differences in content, modes, owners, times, attributes, links"
    )
    return 0


def _entries(cache: Cache, diff_id: str) -> Iterator[Entry]:
    if (file := cache.layer(diff_id)) is None:
        raise DeployError(
            f"layer {short(diff_id)} is no longer in {cache.folder}", "run the command again"
        )
    return read_layer(diff_id, file)
