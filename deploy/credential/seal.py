"""Seal credentials on the node: from their sources, with a changed value, or one typed in."""

from collections.abc import Callable

from deploy.app.credentials import Credentials
from deploy.app.deploy import DeployOptions, deploy
from deploy.bundle.credentials import publish_credentials, takes_credentials
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.state import NodeState, probe
from deploy.project import Project
from deploy.settings.model import CERT_PASS, Settings, Source


def creds_seal(projects: tuple[Project, ...], name: str, *, go_on: bool) -> None:
    """Seal a credential (empty: all) from its source, and start the apps with it.

    An app that is not on its node, for example after a reinstall, is deployed.

    Raises:
        DeployError: naming the apps that failed; with `go_on`, the others are done.
    """
    failed = []
    for project in projects:
        try:
            _seal(project, name)
        except DeployError as error:
            if not go_on:
                raise
            output.fail(f"{project.settings.app}: {error.message}", error.hint)
            failed.append(project.settings.app)
    if failed:
        raise DeployError(
            f"{', '.join(failed)} failed", "see the errors above; fix them and run it again"
        )


def creds_rotate(project: Project, name: str) -> None:
    """Fetch a credential's new value, seal it and start the app with it.

    Raises:
        DeployError: when the value has not changed, or the app is not healthy with it and has the
            old one again.
    """
    source = _changeable(project.settings, name)
    credentials = Credentials(project.settings, session.passphrase_prompt())
    value = credentials.value(name)
    if takes_credentials(project.settings):
        publish_credentials(project, {name: value})
        return
    if _state(project, {name: value}).credentials.get(name) == "same":
        raise DeployError(
            f"{name} is sealed with this value already",
            f"change it at its source first: {describe(source)}",
        )
    deploy(project, DeployOptions(what="credentials"), credentials)
    output.good(f"{name} has its new value on the node")


def creds_set(project: Project, name: str, value: Callable[[], str]) -> None:
    """Seal a value from a prompt or a file, for a credential without a source.

    Raises:
        DeployError: for a credential whose source is a setting or a command.
    """
    source = _changeable(project.settings, name)
    if source.value or source.command:
        raise DeployError(
            f"{name} comes from {describe(source)}, and the next deploy would seal that again",
            f"change it there, then `fab creds-rotate {name}`",
        )
    if takes_credentials(project.settings):
        publish_credentials(project, {name: value()})
        return
    credentials = Credentials(project.settings, session.passphrase_prompt())
    credentials.give(name, value())
    options = DeployOptions(what="credentials", reseal=frozenset({name}))
    deploy(project, options, credentials)
    output.good(f"{name} is sealed on the node and not stored here")


def source_of(settings: Settings, name: str) -> Source:
    """Find a credential's source.

    Raises:
        DeployError: when the app has no such credential.
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
    """Describe where a value comes from, never the value."""
    if source.value:
        return f"{source.key} in .env"
    return f"{source.key}_COMMAND: {source.command}" if source.command else "a prompt"


def _seal(project: Project, name: str) -> None:
    settings = project.settings
    sources = (source_of(settings, name),) if name else settings.sources
    if takes_credentials(settings):
        known = Credentials(settings, session.passphrase_prompt())
        names = [source.credential for source in sources]
        publish_credentials(project, {name: known.value(name) for name in names})
        return
    state = _state(project, {source.credential: None for source in settings.sources})
    if state.manifest is None:
        output.say(f"{settings.app} is not on the node: deploying it")
        deploy(project, DeployOptions(first=True))
    else:
        wanted = frozenset(source.credential for source in sources)
        deploy(project, DeployOptions(what="credentials", reseal=wanted))


def _state(project: Project, values: dict[str, str | None]) -> NodeState:
    with session.open_session(project) as remote:
        return probe(remote, project.settings.app, paths=(), credentials=values)


def _changeable(settings: Settings, name: str) -> Source:
    if name == CERT_PASS:
        raise DeployError(
            f"{CERT_PASS} opens the TLS key, which has to be encrypted with it too",
            "change CERT_PASSWORD, then `fab cert-rotate-https --password-only`",
        )
    return source_of(settings, name)
