"""Build the image commands that a node runs: one function for each script."""

from deploy.node.command import Command


def tag_image(app: str, release: str, image_id: str) -> Command:
    """Tag an image, by id, for a release."""
    return Command("tag-image", (app, release, image_id))


def receive_image(app: str, image_id: str) -> Command:
    """Receive the missing parts of an image; once verified, tag it `localhost/<app>:sent`."""
    return Command("receive-image", (app, image_id))


def verify_image(image_id: str) -> Command:
    """List every path of an image on the node, with attributes and content hashes."""
    return Command("verify-image", (image_id,))


def prune(app: str) -> Command:
    """Remove the images and partial transfers that no release of an app needs."""
    return Command("prune", (app,))


def repair_storage(app: str) -> Command:
    """Stop an app and remove damaged layers, and all that uses them, from podman's storage."""
    return Command("repair-storage", (app,))
