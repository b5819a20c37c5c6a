"""The desired state of an app, what its node holds, and the plan between the two."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deploy.app.credentials import Credentials
from deploy.app.node_texts import fetch_texts
from deploy.app.plan.changes import PlanInputs, credential_changes
from deploy.app.plan.plan import Plan, plan_deploy
from deploy.app.plan.text_diff import LARGEST_BYTES, Texts
from deploy.app.plan.wanted import Switch, Wanted
from deploy.app.prove import prove
from deploy.app.tls import Pair, check_chain, check_pair, load_pair
from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.open import open_image
from deploy.image.transfer import Transfer
from deploy.node import session
from deploy.node.probe import probe
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.plan.addresses import subnets
from deploy.spec.project_files import list_files
from deploy.spec.render import Rendered, app_files

_PATIENCE_SECONDS = 5
_FORCED = "a new release is asked for"


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a node should hold of an app, and the material to bring it there."""

    rendered: Rendered
    wanted: Wanted
    export: Export
    pair: Pair
    credentials: Credentials

    @property
    def project(self) -> Project:
        """The instance."""
        return self.rendered.project


@contextmanager
def load_desired(
    rendered: Rendered,
    credentials: Credentials | None = None,
    reseal: frozenset[str] = frozenset(),
) -> Iterator[DesiredState]:
    """Load the desired state. The image is open only inside the `with` block.

    Raises:
        DeployError: naming what is missing or does not fit.
    """
    project = rendered.project
    settings = project.settings
    pair = load_pair(project)
    check_chain(pair, settings)
    given = credentials or Credentials(settings, session.asker())
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
        yield DesiredState(rendered, wanted, export, pair, given)


def ask_state(remote: Remote, desired: DesiredState) -> NodeState:
    """Ask the node what it holds of the app: one round trip."""
    paths = tuple(unit.path for unit in desired.wanted.units)
    known = desired.credentials.known()
    return probe(remote, desired.wanted.app, paths=paths, credentials=known)


def make_plan(
    remote: Remote, desired: DesiredState, *, first: bool, force: bool = False, diffs: bool = False
) -> tuple[Plan, NodeState]:
    """Probe the node and decide what a deploy does; give the state it was decided on as well.

    With `force` there is something to do even where nothing differs. With `diffs`, changed texts
    are fetched, for people; the steps are the same without.

    Raises:
        DeployError: when the node cannot answer, or what is wanted cannot be done.
    """
    state = ask_state(remote, desired)
    inputs = PlanInputs(desired.project.settings.node_address, first=first)
    plan = plan_deploy(desired.wanted, state, inputs)
    if not plan and (trouble := _FORCED if force else _trouble(desired)):
        inputs = replace(inputs, trouble=trouble)
        plan = plan_deploy(desired.wanted, state, inputs)
    if plan and diffs:
        texts, patched = _texts(remote, desired, plan), _patched(remote, desired, state)
        plan = plan_deploy(desired.wanted, state, replace(inputs, texts=texts, patched=patched))
    return plan, state


def check_material(desired: DesiredState, state: NodeState) -> None:
    """Check certificate, key and password together whenever one of them is new to the node.

    Raises:
        CertError: when they do not fit.
    """
    held, wanted = state.manifest, desired.wanted
    known = held and (held.certificate, held.key) == (wanted.certificate, wanted.key)
    sealed = {change.name for change in credential_changes(wanted, state)}
    if not known or CERT_PASS in sealed:
        password = desired.credentials.value(CERT_PASS)
        check_pair(desired.pair, desired.project.settings, password)


def _trouble(desired: DesiredState) -> str:
    """Say why the app is not healthy for a visitor; nothing when it is."""
    address = session.endpoint(desired.project)
    path, certificate = desired.project.settings.health_path, desired.wanted.certificate
    try:
        prove(address, path, certificate, timeout_seconds=_PATIENCE_SECONDS)
    except DeployError as error:
        return error.message
    return ""


def _texts(remote: Remote, desired: DesiredState, plan: Plan) -> Texts:
    """Read both versions of what changed."""
    units = {one.path for one in plan.units if one.how == "changed"}
    here = {unit.path: unit.content for unit in desired.wanted.units if unit.path in units}
    here |= _small_files(desired, [one.path for one in plan.files if one.how == "changed"])
    return Texts(here, fetch_texts(remote, desired.wanted.app, tuple(here)))


def _small_files(desired: DesiredState, names: list[str]) -> dict[str, bytes]:
    folder = desired.project.files
    if folder is None:
        return {}
    found = {name: folder / name for name in names}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES
    }


def _patched(remote: Remote, desired: DesiredState, state: NodeState) -> int:
    if desired.wanted.image.id in state.images:
        return 0
    target = session.target(desired.project)
    transfer = Transfer(remote, target, desired.project.settings, desired.export)
    return len(transfer.plan(state).bases)
