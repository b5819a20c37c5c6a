"""Verb: print what nodes tell of themselves as metrics."""

from certs.errors import CertError
from deploy.app.look import looking
from deploy.console import output
from deploy.errors import DeployError
from deploy.metrics.plan.exposition import Family, Sample, joined, read_metrics
from deploy.node.command import Command
from deploy.project import Project

_ANSWERS = "corefab_node_answers"
_HELP = "1 when the node told its metrics."


def metrics(projects: tuple[Project, ...]) -> int:
    """Print the metrics of the nodes of these instances, each node once.

    Of several nodes, one that does not answer is a warning. Return 1 when one does not tell how
    it is now.

    Raises:
        DeployError: when the only node does not answer.
        CertError: when its status page cannot be opened.
    """
    nodes: dict[tuple[str, int | None], Project] = {}
    for project in projects:
        nodes.setdefault((project.settings.node_address, project.settings.node_port), project)
    found: dict[str, tuple[Family, ...]] = {}
    well = True
    for (address, port), project in nodes.items():
        name = address if port is None else f"{address}:{port}"
        try:
            families, trouble = _read(project)
        except (DeployError, CertError) as error:
            if len(nodes) == 1:
                raise
            output.warn(f"{name}: {error.message}")
            families, trouble = (), error.message
        well = well and not trouble
        answers = Family(_ANSWERS, "gauge", _HELP, [Sample(_ANSWERS, {}, str(int(not trouble)))])
        found[name] = (answers, *families)
    output.plain(joined(found))
    return 0 if well else 1


def _read(project: Project) -> tuple[tuple[Family, ...], str]:
    """Ask a node; with what it says, why that may not be how it is now."""
    with looking(project) as remote:
        said = remote.checked(Command("metrics"), "reading the metrics")
        return read_metrics(said), remote.trouble
