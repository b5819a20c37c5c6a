"""The proxy of a node: an app like others, made from the settings of the apps behind it."""

import contextlib
from dataclasses import replace

from container.examples.build import build
from deploy.console import progress
from deploy.image.open import source_of
from deploy.image.store.engines import Podman
from deploy.node import session
from deploy.project import Project
from deploy.settings.model import PROXY_BUILT
from deploy.spec.plan.proxy import proxy_settings
from deploy.workstation.programs import ProgramError, run

_PULL_SECONDS = 600


def proxy_of(project: Project) -> Project:
    """Make the instance that is the proxy of an app's node.

    Raises:
        DeployError: when no node is named, or its rehearsal node does not run.
    """
    # The rehearsal node is called after the app's project.
    closed = session.is_closed(project.settings)
    address = session.address_of(project) if closed else session.target(project).host
    own = proxy_settings(project.settings).model_copy(update={"node_address": address})
    return replace(project, settings=own)


def fetch_image(proxy: Project, platform: str) -> None:
    """Have the proxy's image for a node's platform, `linux/amd64`, on this workstation.

    Pull it, or build ours, where it is missing. One that was pulled for another platform is pulled
    again: podman gives the name to the last.

    Raises:
        DeployError: when podman cannot pull it.
        ContainerError: when it cannot be built.
    """
    image = proxy.settings.image
    source = source_of(image, proxy.folder)
    if not isinstance(source, Podman):
        return
    with contextlib.suppress(ProgramError):
        if source.image().platforms[:1] == (platform,) or "@" not in image:
            return
    if image == PROXY_BUILT:
        with progress.step(f"Build {image} from Debian packages", f"{image} built"):
            build("caddy", image)
        return
    with progress.step(f"Pull {image}", f"{image} pulled"):
        run(
            ["podman", "pull", "--quiet", "--platform", platform, image],
            doing=f"pulling {image}",
            hint="try it by hand; `fab proxy-build` makes one of Debian packages instead, with "
            f"PROXY_IMAGE={PROXY_BUILT}",
            seconds=_PULL_SECONDS,
        )
