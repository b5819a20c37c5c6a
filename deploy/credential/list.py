"""List an app's credentials, their sources, and their state on the node."""

from deploy.app.credentials import Credentials
from deploy.console import output
from deploy.credential.seal import describe
from deploy.node import session
from deploy.node.holdings import Holdings, SealedCredential, ask_holdings, not_decrypted
from deploy.project import Project
from deploy.settings.model import Source

_COLUMNS = ("credential", "source", "on the node", "generation", "age", "sealed with", "opens")
_DAY_SECONDS = 86400


def creds_list(project: Project, *, as_json: bool) -> int:
    """Show the credentials; return 1 when one is missing, outdated or cannot be decrypted there.

    Values are compared on the node, except those that would have to be typed in.

    Raises:
        DeployError: when the node cannot be reached.
    """
    settings = project.settings
    values = Credentials(settings, None).known()
    with session.open_session(project) as remote:
        holdings = ask_holdings(remote, settings.app, values)
    held = {one.name: one for one in holdings.credentials}
    rows = [_facts(source, holdings, held.get(source.credential)) for source in settings.sources]
    if as_json:
        output.as_json({"app": settings.app, "credentials": rows})
    else:
        output.table(f"credentials of {settings.app}", _COLUMNS, [_cells(row) for row in rows])
        for name, one in held.items():
            if not one.opens:
                output.fail(not_decrypted(settings.app, name), "")
    return int(not all(row["state"] in {"same", "present"} and row["opens"] for row in rows))


def _facts(source: Source, holdings: Holdings, held: SealedCredential | None) -> dict[str, object]:
    return {
        "name": source.credential,
        "source": describe(source),
        "state": holdings.compared.get(source.credential, "absent"),
        "generation": holdings.generations.get(source.credential),
        "age_days": held.age_seconds // _DAY_SECONDS if held else None,
        "sealed_with": held.sealed_with if held else None,
        "opens": held.opens if held else False,
    }


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    return tuple("-" if value is None else str(value) for value in row.values())
