"""What is wanted of an app, what its node holds, and the plan between the two."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy import node
from deploy.app_files import app_files
from deploy.credentials import Credentials
from deploy.errors import DeployError
from deploy.image.export import Export
from deploy.image.local import open_image
from deploy.machine_files import Rendered
from deploy.plan.addresses import subnets
from deploy.plan.decision import Circumstances, changed_texts, deployment
from deploy.plan.deployment import Deployment
from deploy.plan.difference import LARGEST_BYTES, Texts
from deploy.plan.rules import check_deployment
from deploy.plan.state import NodeState
from deploy.plan.steps import Switch, Wanted, to_seal
from deploy.project import Project
from deploy.project_files import list_files
from deploy.prove import prove
from deploy.remote.probe import probe
from deploy.remote.remote import Remote
from deploy.remote.texts import fetch_texts
from deploy.tls import Pair, check_chain, check_pair, load_pair
from deploy.transfer import Transfer

_PATIENCE_SECONDS = 5
_ANEW = "a release anew is asked for"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted, with the material that makes it."""

    rendered: Rendered
    wanted: Wanted
    export: Export
    pair: Pair
    credentials: Credentials

    @property
    def project(self) -> Project:
        """The instance."""
        return self.rendered.project


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what the node held when it was made."""

    plan: Deployment
    state: NodeState


@contextmanager
def goal(
    rendered: Rendered,
    credentials: Credentials | None = None,
    reseal: frozenset[str] = frozenset(),
) -> Iterator[Goal]:
    """Read all that is wanted of an app from the workstation; its image, as long as a block lasts.

    Raises:
        DeployError: naming what is missing or does not fit.
    """
    project = rendered.project
    settings = project.settings
    pair = load_pair(project)
    check_chain(pair, settings)
    given = credentials or Credentials(settings, node.asker())
    with open_image(project) as export:
        wanted = Wanted(
            app=settings.app,
            image=export.image,
            units=app_files(rendered),
            files=list_files(project.files),
            certificate=pair.leaf.sha256,
            key=hashlib.sha256(pair.key_file).hexdigest(),
            credentials=tuple(source.credential for source in settings.sources),
            subnets=subnets(settings),
            switch=Switch(settings.switch, settings.before_switch),
            reseal=reseal,
        )
        yield Goal(rendered, wanted, export, pair, given)


def ask_state(remote: Remote, wanted: Goal) -> NodeState:
    """Ask the node what it holds of the app: one round trip."""
    paths = tuple(unit.path for unit in wanted.wanted.units)
    known = wanted.credentials.known()
    return probe(remote, wanted.project.settings.app, paths=paths, credentials=known)


def make_plan(
    remote: Remote, wanted: Goal, *, first: bool, anew: bool = False, diffs: bool = False
) -> Planned:
    """Ask the node and decide what a deploy does; the only maker of plans.

    With `anew` there is something to do even where nothing differs. With `diffs`, changed texts
    are fetched, for people; the steps are the same without.

    Raises:
        DeployError: when the node cannot answer, or what is wanted cannot be done.
    """
    state = ask_state(remote, wanted)
    given = Circumstances(wanted.project.settings.node_address, first=first)
    made = deployment(wanted.wanted, state, given)
    if not made and (trouble := _ANEW if anew else _trouble(wanted)):
        state = state.model_copy(update={"trouble": trouble})
        made = deployment(wanted.wanted, state, given)
    if made and diffs:
        made = deployment(wanted.wanted, state, _in_detail(remote, wanted, state, given))
    check_deployment(made)
    return Planned(made, state)


def check_material(wanted: Goal, state: NodeState) -> None:
    """Check certificate, key and password together whenever one of them is new to the node.

    Raises:
        CertError: when they do not fit.
    """
    held, want = state.manifest, wanted.wanted
    known = held and (held.certificate, held.key) == (want.certificate, want.key)
    if not known or "cert_pass" in to_seal(want, state):
        check_pair(wanted.pair, wanted.project.settings, wanted.credentials.value("cert_pass"))


def _trouble(wanted: Goal) -> str:
    """Say what a visitor meets when it is not the app in health; nothing when it is."""
    address = node.endpoint(wanted.project)
    path, certificate = wanted.project.settings.health_path, wanted.wanted.certificate
    try:
        prove(address, path, certificate, timeout_seconds=_PATIENCE_SECONDS)
    except DeployError as error:
        return error.message
    return ""


def _in_detail(
    remote: Remote, wanted: Goal, state: NodeState, given: Circumstances
) -> Circumstances:
    units, files = changed_texts(wanted.wanted, state)
    here = {unit.path: unit.content for unit in units} | _small_files(wanted, files)
    there = fetch_texts(remote, wanted.project.settings.app, tuple(here))
    return Circumstances(
        given.node,
        first=given.first,
        texts=Texts(here, there),
        patched=_patched(remote, wanted, state),
    )


def _small_files(wanted: Goal, names: tuple[str, ...]) -> dict[str, bytes]:
    folder = wanted.project.files
    if folder is None:
        return {}
    found = {name: folder / name for name in names}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES
    }


def _patched(remote: Remote, wanted: Goal, state: NodeState) -> int:
    if wanted.wanted.image.id in state.images:
        return 0
    target = node.target(wanted.project)
    transfer = Transfer(remote, target, wanted.project.settings, wanted.export)
    return len(transfer.shipment(state).bases)
