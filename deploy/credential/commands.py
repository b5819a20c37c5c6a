"""Commands: seal credentials on the node."""

from invoke.context import Context

from deploy.options import project_of, projects_of
from deploy.task import task


@task("certificates and credentials")
def creds_list(context: Context, *, name: str = "", json: bool = False) -> int:
    """List credentials, their sources and seals; exit code 1 if one is not as it should be."""
    from deploy.credential.list import creds_list as show

    return show(project_of(context, name), as_json=json)


@task(
    "certificates and credentials",
    help={"credential": "which, all unless given", "all": "every instance here"},
)
def creds_seal(
    context: Context,
    *,
    name: str = "",
    credential: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
) -> None:
    """Seal credentials again from their sources; --all restores every app after a reinstall."""
    from deploy.credential.seal import creds_seal as seal

    seal(projects_of(context, name, every=all), credential, go_on=all)


@task("certificates and credentials", positional=["credential"], help={"credential": "which"})
def creds_rotate(context: Context, credential: str, *, name: str = "") -> None:
    """Seal a credential's new value from its source; the old one comes back if the app fails."""
    from deploy.credential.seal import creds_rotate as rotate

    rotate(project_of(context, name), credential)


@task(
    "certificates and credentials",
    positional=["credential"],
    help={
        "credential": "which",
        "file": "read the value from a file, without its last line end; - for standard input",
    },
)
def creds_set(context: Context, credential: str, *, name: str = "", file: str = "") -> None:
    """Seal a value that is typed in, or read from a file, and keep nothing of it here."""
    from deploy.app.credentials import given_value
    from deploy.credential.seal import creds_set as seal

    seal(project_of(context, name), credential, lambda: given_value(credential, file))
