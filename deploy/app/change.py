"""Tell receivers of notifications how a change of an app ended.

Apart from telling.py: commands that only look do not load what deploys.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.app.execution import Execution
from deploy.app.telling import where
from deploy.app.undo import UndoneError
from deploy.notify.plan import events
from deploy.notify.tell import tell


@contextmanager
def change_told(execution: Execution) -> Iterator[None]:
    """Tell how the change of the block ended: that the release serves, or what does instead."""
    project, at = execution.project, where(execution.settings)
    try:
        yield
    except UndoneError as error:
        undone = error.undone
        finding = events.failed(
            at, execution.what, error.why, undone.text, restored=undone.restored
        )
        tell(project, finding)
        raise
    by = execution.manifest.by
    tell(project, events.deployed(at, execution.what, execution.release, by))
