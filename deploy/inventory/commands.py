"""Commands: what certificates, keys and credentials there are."""

from invoke.context import Context

from deploy.options import projects_of
from deploy.task import task


@task(
    "certificates and credentials",
    help={"all": "every instance here", "prometheus": "write text for Prometheus"},
)
def cert_status(
    context: Context,
    *,
    name: str = "",
    all: bool = False,  # noqa: A002 -- the option is called --all
    json: bool = False,
    prometheus: bool = False,
) -> int:
    """Show certificates, keys and credentials; exit code 2 if something is wrong, 1 if soon."""
    from deploy.inventory.status import cert_status as show

    return show(projects_of(context, name, every=all), as_json=json, prometheus=prometheus)
