"""Load the desired state of an app, probe its node, and plan the deploy."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deploy.app.credentials import Credentials
from deploy.app.health import wait_until_healthy
from deploy.app.plan.desired_state import DesiredState, Switch
from deploy.app.plan.diff import PlanInputs, credential_changes
from deploy.app.plan.plan import Plan, plan_deploy
from deploy.app.plan.text_diff import LARGEST_BYTES, Texts
from deploy.app.tls import Pair, check_pair, load_pair
from deploy.console import output
from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.open import open_image
from deploy.image.plan.image import missing
from deploy.image.startable import refuse_unstartable
from deploy.image.transfer import Transfer
from deploy.node import session
from deploy.node.answer import reading
from deploy.node.command import Command
from deploy.node.release import proof_of
from deploy.node.remote import Remote
from deploy.node.state import NodeState, probe
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.plan.addresses import subnets
from deploy.spec.project_files import left_out, list_files
from deploy.spec.render import Rendered, app_files, render, values_of

_HEALTH_SECONDS = 5
_FORCED = "a new release was asked for"
# The diffs of more files than this are not worth the transfer: the rest show their hashes.
_MOST_DIFFS = 50
_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The desired state of an app, and all that a deploy sends to reach it."""

    rendered: Rendered
    wanted: DesiredState
    export: Export
    pair: Pair | None
    credentials: Credentials

    @property
    def desired(self) -> DesiredState:
        """The desired state, with the image that was chosen for the node."""
        return replace(self.wanted, image=self.export.image)

    @property
    def project(self) -> Project:
        """The instance."""
        return self.rendered.project

    def fitting(self, state: NodeState) -> "Artifacts":
        """Fit the app's network to the node: one without IPv6 could not make it with that."""
        if state.ipv6:
            return self
        rendered = render(self.project, values_of(self.project, ipv6=False))
        units, own = app_files(rendered), self.wanted.subnets[:1]
        return replace(
            self, rendered=rendered, wanted=replace(self.wanted, units=units, subnets=own)
        )


@contextmanager
def load_artifacts(
    rendered: Rendered,
    credentials: Credentials | None = None,
    reseal: frozenset[str] = frozenset(),
) -> Iterator[Artifacts]:
    """Load the desired state. The image is open only inside the `with` block.

    Raises:
        DeployError: naming what is missing or invalid.
    """
    project = rendered.project
    settings = project.settings
    pair = load_pair(project) if settings.has_key else None
    if pair:
        check_pair(pair, settings, None)
    _show_left_out(project)
    credentials = credentials or Credentials(settings, session.passphrase_prompt())
    with open_image(project) as export:
        desired = DesiredState(
            app=settings.app,
            image=export.image,
            units=app_files(rendered),
            files=list_files(project.files),
            certificate=pair.leaf.sha256 if pair else "",
            key=hashlib.sha256(pair.key_file).hexdigest() if pair else "",
            credentials=tuple(source.credential for source in settings.sources),
            subnets=subnets(settings),
            switch=Switch(settings.switch, settings.before_switch, settings.tls),
            proof=proof_of(settings),
            reseal=reseal,
        )
        yield Artifacts(rendered, desired, export, pair, credentials)


def _show_left_out(project: Project) -> None:
    if names := left_out(project.files):
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        output.warn(
            f"of {project.settings.project_files}, these are not sent (settings, caches, version "
            f"control, empty folders): {', '.join(names[:_MOST_NAMES])}{more}"
        )


def ask_state(remote: Remote, artifacts: Artifacts) -> NodeState:
    """Probe the node's state of the app, in one round trip."""
    paths = tuple(unit.path for unit in artifacts.desired.units)
    known = artifacts.credentials.known()
    return probe(remote, artifacts.desired.app, paths=paths, credentials=known)


def make_plan(
    remote: Remote, artifacts: Artifacts, *, first: bool, force: bool = False, diffs: bool = False
) -> tuple[Plan, NodeState]:
    """Probe the node and plan a deploy; return the plan and the state it is for.

    With `force` the plan has steps even where nothing differs. With `diffs` changed texts are
    fetched and compared; the steps are the same without.

    Raises:
        DeployError: when the node does not answer, or the desired state cannot be reached.
    """
    state = ask_state(remote, artifacts)
    artifacts = artifacts.fitting(state)
    artifacts.export.choose(state.platform)
    inputs = PlanInputs(artifacts.project.settings.node_address, first=first)
    plan = plan_deploy(artifacts.desired, state, inputs)
    if not plan and (trouble := _FORCED if force else _trouble(artifacts)):
        inputs = replace(inputs, trouble=trouble)
        plan = plan_deploy(artifacts.desired, state, inputs)
    if plan.steps:
        refuse_unstartable(
            artifacts.export,
            command_set=_sets_command(artifacts.rendered),
            own_user=artifacts.project.settings.container_user == "image",
            sent=artifacts.desired.image.id in state.images,
        )
    if plan and diffs:
        texts, patched = _texts(remote, artifacts, plan), _patched(remote, artifacts, state)
        plan = plan_deploy(artifacts.desired, state, replace(inputs, texts=texts, patched=patched))
    return plan, state


def check_material(artifacts: Artifacts, state: NodeState) -> None:
    """Check that certificate, key and password match, if one of them is new to the node.

    Raises:
        CertError: when they do not.
    """
    manifest, desired = state.manifest, artifacts.desired
    if artifacts.pair is None:
        return
    known = manifest and (manifest.certificate, manifest.key) == (desired.certificate, desired.key)
    sealed = {change.name for change in credential_changes(desired, state)}
    if not known or CERT_PASS in sealed:
        password = artifacts.credentials.value(CERT_PASS)
        check_pair(artifacts.pair, artifacts.project.settings, password)


def _sets_command(rendered: Rendered) -> bool:
    """Return whether an overlay may set the command of the container."""
    texts = rendered.sources.overlays.values()
    return any(re.search(rb"(?m)^\s*(Exec|Entrypoint)=", text) for text in texts)


def _trouble(artifacts: Artifacts) -> str:
    """Describe why the app is not healthy; empty when it is."""
    desired = artifacts.desired
    path, certificate = desired.proof.path, desired.certificate
    try:
        endpoints = session.endpoints(artifacts.project, desired.proof)
        wait_until_healthy(endpoints, path, certificate, timeout_seconds=_HEALTH_SECONDS)
    except DeployError as error:
        return error.message
    return ""


def _texts(remote: Remote, artifacts: Artifacts, plan: Plan) -> Texts:
    """Read both versions of each changed file."""
    units = {one.path for one in plan.units if one.how == "changed"}
    here = {unit.path: unit.content for unit in artifacts.desired.units if unit.path in units}
    here |= _small_files(artifacts, [one.path for one in plan.files if one.how == "changed"])
    return Texts(here, _node_texts(remote, artifacts.desired.app, here))


def _small_files(artifacts: Artifacts, names: list[str]) -> dict[str, bytes]:
    folder = artifacts.project.files
    if folder is None:
        return {}
    found = {name: folder / name for name in names}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES
    }


def _node_texts(remote: Remote, app: str, paths: Iterable[str]) -> dict[str, bytes]:
    """Fetch small text files; relative paths are project files of the release that serves."""
    # Names are sent a line each: a file with a line end in its name shows its hash.
    asked = [path for path in paths if "\n" not in path][:_MOST_DIFFS]
    if not asked:
        return {}
    lines = "".join(f"{path}\n" for path in asked).encode()
    command = Command("texts", (app, str(LARGEST_BYTES)), lines)
    answer = remote.checked(command, "reading changed files")
    with reading("the node's answer about changed files"):
        texts = answer.splitlines()
        if len(texts) != len(asked):
            raise ValueError(f"it has {len(texts)} of {len(asked)} files")
        pairs = zip(asked, texts, strict=True)
        return {path: base64.b64decode(text) for path, text in pairs if text != "-"}


def _patched(remote: Remote, artifacts: Artifacts, state: NodeState) -> int:
    if artifacts.desired.image.id in state.images:
        return 0
    artifacts.export.measure(missing(artifacts.desired.image, state))
    target = session.target(artifacts.project)
    transfer = Transfer(remote, target, artifacts.project.settings, artifacts.export)
    return len(transfer.plan(state).bases)
