"""Ask a node for the state of everything that a machine spec or a release defines."""

from deploy.machine.drift.plan.inspection import Inspection
from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.schema import spec_hash
from deploy.spec.plan.machine import Machine


def ask_spec_hash(remote: Remote) -> str:
    """Ask which machine spec the node was made from; empty where it does not record one."""
    return spec_hash(remote.run(Command("spec-hash")).stdout)


def inspect(remote: Remote, app: str, *machines: Machine) -> Inspection:
    """Ask for the state of what these machines and the serving release define.

    Raises:
        DeployError: when the node cannot answer.
    """
    lines = sorted({line for machine in machines for line in machine.question})
    question = "".join(f"{line}\n" for line in lines).encode()
    answer = remote.checked(Command("inspect", (app,), question), "inspecting the machine")
    return read_answer(Inspection, answer, "the inspection of the node", app=app)
