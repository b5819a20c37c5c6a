"""Verb: show what a node gathered for its operators."""

from deploy.app.look import looking
from deploy.console import output
from deploy.node.command import Command
from deploy.project import Project


def node_collected(project: Project) -> int:
    """Show what `fab node-command collect` had the node gather; return 1 where that may be old.

    Raises:
        DeployError: when it has nothing, or its page cannot be had or believed.
    """
    with looking(project) as remote:
        text = remote.checked(Command("collected"), "reading what the node has collected")
        trouble = remote.trouble
    for line in text.rstrip("\n").split("\n"):
        output.say(line)
    return 1 if trouble else 0
