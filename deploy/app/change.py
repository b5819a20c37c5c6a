"""Tell receivers of notifications, and of traces, how a change of an app ended.

Apart from telling.py: commands that only look do not load what deploys.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.app.execution import Execution
from deploy.app.telling import where
from deploy.app.undo import UndoneError
from deploy.errors import reason
from deploy.notify.plan import events
from deploy.notify.plan.trace import Span
from deploy.notify.tell import tell
from deploy.notify.trace import send_trace


@contextmanager
def change_told(execution: Execution) -> Iterator[None]:
    """Tell how the change of the block ended: that the release serves, or what does instead."""
    project, at, began = execution.project, where(execution.settings), time.time_ns()
    try:
        yield
    except UndoneError as error:
        undone = error.undone
        _trace(execution, began, error.why)
        finding = events.failed(
            at, execution.what, error.why, undone.text, restored=undone.restored
        )
        tell(project, finding)
        raise
    except BaseException as error:
        _trace(execution, began, reason(error))
        raise
    _trace(execution, began)
    by = execution.manifest.by
    tell(project, events.deployed(at, execution.what, execution.release, by))


def _trace(execution: Execution, began_ns: int, problem: str = "") -> None:
    """Send the trace of a change that has ended."""
    manifest, line = execution.manifest, execution.audit_line
    about = {
        "corefab.app": manifest.app,
        "corefab.node": execution.settings.node_address,
        "corefab.release": manifest.release,
        "corefab.release.before": line.previous,
        "corefab.result": "failed" if problem else "ok",
        "corefab.by": manifest.by,
        "container.image.name": manifest.image,
        "container.image.id": manifest.image_id,
        "vcs.ref.head.revision": manifest.commit,
    }
    whole = Span(execution.what, began_ns, time.time_ns(), problem)
    send_trace(execution.project, whole, execution.spans, about)
