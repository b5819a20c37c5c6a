"""The commands for a node: a function for each script."""

from deploy.node.command import Command


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
