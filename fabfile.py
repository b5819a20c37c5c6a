"""corefab: containerised web apps on Fedora CoreOS machines over SSH.

Gathers the commands of `deploy/<noun>/commands.py`. A verb's module is imported when its command
runs, so that `fab --list` need not load them all.
"""

import atexit
import gc
import sys
from pathlib import Path

from invoke.collection import Collection

from deploy.access import commands as access
from deploy.app import commands as app
from deploy.bundle import commands as bundle
from deploy.certificate import commands as certificate
from deploy.credential import commands as credential
from deploy.gather import gather
from deploy.image import commands as image
from deploy.inventory import commands as inventory
from deploy.machine import commands as machine
from deploy.metrics import commands as metrics
from deploy.node import commands as node
from deploy.notify import commands as notify
from deploy.overview import commands as overview
from deploy.page import commands as page
from deploy.proxy import commands as proxy
from deploy.pull import commands as pull
from deploy.registry import commands as registry
from deploy.rehearse import commands as rehearse
from deploy.spec import commands as spec
from deploy.workstation import commands as workstation

# A command lasts seconds: searching for objects to free costs it more than the memory, most of all
# at its end.
gc.set_threshold(50_000)
atexit.register(gc.freeze)
# Fabric turns bytecode files off, so every command would compile all that it imports.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

_NOUNS = (
    rehearse, workstation, spec, image, app, metrics, overview, notify, proxy, machine, node, page,
    certificate, credential, inventory, access, bundle, registry, pull,
)  # fmt: skip


def collect(folder: Path) -> Collection:
    """Make the commands for an operator's folder; its own fabfile calls this."""
    return gather(_NOUNS, folder)


ns = collect(Path(__file__).parent)
