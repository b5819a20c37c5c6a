"""Verbs: seal credentials anew, all of them after a reinstall, or one whose value has changed."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.app.credentials import Credentials
from deploy.app.deploy import DeployOptions, deploy
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.state import NodeState, probe
from deploy.project import Project
from deploy.settings.model import CERT_PASS, Settings, Source


@dataclass(frozen=True, slots=True)
class Wish:
    """Which credentials, none meaning all; of every instance here, or of one."""

    names: tuple[str, ...] = ()
    all: bool = False


def creds_seal(projects: tuple[Project, ...], wish: Wish) -> None:
    """Seal credentials anew from their sources, and start the apps with them.

    An app that is not on its node, after a reinstall for example, is deployed there.

    Raises:
        DeployError: naming every app that did not come back; the others have.
    """
    failed = []
    for project in projects:
        try:
            _seal(project, wish.names)
        except DeployError as error:
            if not wish.all:
                raise
            output.fail(f"{project.settings.app}: {error.message}", error.hint)
            failed.append(project.settings.app)
    if failed:
        raise DeployError(
            f"{', '.join(failed)} did not come back", "the lines above say why; run it again"
        )


def creds_rotate(project: Project, name: str) -> None:
    """Take a credential's new value from its source, seal it and start the app with it.

    Raises:
        DeployError: when the source gives the value that is sealed already, or when the app does
            not become healthy with the new one; it has the old one then.
    """
    settings = project.settings
    _refuse_password(name)
    source_of(settings, name)
    credentials = Credentials(settings, session.passphrase_prompt())
    value = credentials.value(name)
    if _state(project, {name: value}).credentials.get(name) == "same":
        raise DeployError(
            f"{name} is sealed with this value already",
            f"change it at its source first: {describe(source_of(settings, name))}",
        )
    deploy(project, DeployOptions(what="credentials"), credentials)
    output.good(f"{name} has its new value on the node")


def creds_set(project: Project, name: str, value: Callable[[], str]) -> None:
    """Seal a value that is given now, for a credential that has no other source.

    Raises:
        DeployError: for a credential whose source is a setting or a command.
    """
    _refuse_password(name)
    source = source_of(project.settings, name)
    if source.value or source.command:
        raise DeployError(
            f"{name} comes from {describe(source)}, which the next deploy would bring back",
            f"change it there, then `fab creds-rotate {name}`",
        )
    credentials = Credentials(project.settings, session.passphrase_prompt())
    credentials.give(name, value())
    options = DeployOptions(what="credentials", reseal=frozenset({name}))
    deploy(project, options, credentials)
    output.good(f"{name} is sealed on the node; nothing of it is kept here")


def source_of(settings: Settings, name: str) -> Source:
    """Find a credential's source.

    Raises:
        DeployError: for one that the app has not.
    """
    for source in settings.sources:
        if source.credential == name:
            return source
    known = ", ".join(source.credential for source in settings.sources)
    raise DeployError(
        f"{settings.app} has no credential {name!r}; it has {known}",
        f"a setting SECRET_{name.upper()} makes one",
    )


def describe(source: Source) -> str:
    """Say where a value comes from, never the value."""
    if source.value:
        return f"{source.key} in .env"
    return f"{source.key}_COMMAND: {source.command}" if source.command else "a prompt"


def _seal(project: Project, names: tuple[str, ...]) -> None:
    settings = project.settings
    for name in names:
        source_of(settings, name)
    wanted = frozenset(names or (source.credential for source in settings.sources))
    state = _state(project, {source.credential: None for source in settings.sources})
    if state.manifest is None:
        output.say(f"{settings.app} is not on the node: it is deployed with all it has")
        deploy(project, DeployOptions(first=True))
    else:
        deploy(project, DeployOptions(what="credentials", reseal=wanted))


def _state(project: Project, values: dict[str, str | None]) -> NodeState:
    with session.open_session(project) as remote:
        return probe(remote, project.settings.app, paths=(), credentials=values)


def _refuse_password(name: str) -> None:
    if name == CERT_PASS:
        raise DeployError(
            f"{CERT_PASS} opens the TLS key, which has to be encrypted anew with it",
            "change CERT_PASSWORD, then `fab cert-rotate-https --password-only`",
        )
