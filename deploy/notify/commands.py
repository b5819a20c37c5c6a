"""Commands: try notifications."""

from invoke.context import Context

from deploy.options import project_of
from deploy.task import task


@task("look")
def notify_test(context: Context, *, name: str = "") -> int:
    """Send a test message to each receiver of notifications; exit code 1 when one fails."""
    from deploy.notify.trial import notify_test as send

    return send(project_of(context, name))
