"""A deployed shop, and the state of its node."""

from collections.abc import Mapping
from datetime import UTC, datetime

from deploy.app.plan.desired_state import DesiredState, Switch
from deploy.image.plan.image import Image
from deploy.node.file import File
from deploy.node.release import Manifest, Proof
from deploy.node.state import Disk, FileState, NodeState
from deploy.settings.model import Settings

AUTHORITY_PASSWORD = "only here"
NOW = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
UNIT = File("/etc/containers/systemd/shop-www.container", b"[Container]\n")
IMAGE = Image(
    "localhost/shop:1",
    "sha256:" + "1" * 64,
    100_000_000,
    ("sha256:" + "a" * 64, "sha256:" + "b" * 64),
)
DESIRED = DesiredState(
    app="shop-www",
    image=IMAGE,
    units=(UNIT,),
    files={"index.html": "aa"},
    certificate="c" * 64,
    key="d" * 64,
    credentials=("cert_pass",),
    subnets=("10.160.0.0/28", "fdc7:2b1e:9d40::/64"),
    switch=Switch(),
    proof=Proof(path="/", address="", port=443, names=("shop.example.org",), switch="slots"),
)


def settings(**values: object) -> Settings:
    """Make settings; fill in the required ones."""
    return Settings.model_validate(
        {
            "PROJECT": "shop",
            "IMAGE": "localhost/shop:1",
            "CERT_NAMES": "shop.example.org",
            "TLS": "app",
            "AUTHORITY_PASSWORD": AUTHORITY_PASSWORD,
        }
        | values
    )


def manifest(desired: DesiredState = DESIRED, **changes: object) -> Manifest:
    """Make the manifest of a release that is all of what is desired."""
    held = Manifest(
        release="20300615-120000-ab12",
        app=desired.app,
        image=desired.image.name,
        image_id=desired.image.id,
        certificate=desired.certificate,
        key=desired.key,
        units={unit.path: unit.sha256 for unit in desired.units},
        files=dict(desired.files),
        by="me@here",
        commit="",
        dirty=False,
        at=NOW,
    )
    return held.model_copy(update=changes)


def held_files(units: tuple[File, ...]) -> Mapping[str, FileState]:
    """Return the state of unchanged units on a node."""
    return {unit.path: FileState(mode=unit.mode_and_owner, sha256=unit.sha256) for unit in units}


def state(**changes: object) -> NodeState:
    """Make the state of a node that holds and runs what is desired."""
    held = NodeState(
        clock=int(NOW.timestamp()),
        machine="x86_64",
        boot_id="b",
        os="an OS",
        podman="5.8.2",
        skopeo="1.20.0",
        systemd="259",
        manifest=manifest(),
        interrupted=None,
        disks={name: Disk(device=1, free=10**12) for name in ("storage", "scratch", "incoming")},
        firewall="active",
        door="open",
        slot="blue",
        leftover="",
        routes=(),
        active="active",
        since="today",
        restarts=0,
        layers={IMAGE.id: IMAGE.layers},
        partial={},
        sub_state="running",
        result="success",
        exit_status="0",
        status_text="",
        files=dict(held_files(DESIRED.units)),
        credentials={"cert_pass": "same"},
        staged_update="",
    )
    return held.model_copy(update=changes)


def fresh(**changes: object) -> NodeState:
    """Make the state of a node without the app."""
    empty: dict[str, object] = {
        "manifest": None,
        "slot": "",
        "door": "not there",
        "active": "inactive",
        "layers": {},
        "files": {},
        "credentials": {"cert_pass": "absent"},
    }
    return state(**empty | changes)
