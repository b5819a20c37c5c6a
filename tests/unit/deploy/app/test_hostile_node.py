"""Each verb against a node whose every string is hostile: one message, and no control character."""

import contextlib
import json
import socket
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from pydantic import TypeAdapter, ValidationError

import fabfile
from certs.pair import Pair, load, replace
from deploy.access.host_key import host_key_rotate
from deploy.access.keys import access_add, access_remove
from deploy.access.list import access_list
from deploy.access.rotate_key import cert_rotate_ssh
from deploy.access.sign import access_sign
from deploy.app.audit import audit
from deploy.app.credentials import Credentials
from deploy.app.deploy import DeployOptions, deploy
from deploy.app.logs import logs
from deploy.app.plan.history import KeptRelease
from deploy.app.proxy import proxy_of
from deploy.app.releases import releases
from deploy.app.repair import image_repair
from deploy.app.rollback import rollback
from deploy.app.show_plan import show_plan
from deploy.app.status import status
from deploy.app.tls import material
from deploy.app.workers import Worker, Workers
from deploy.bundle.collected import node_collected
from deploy.certificate.renew import cert_renew
from deploy.certificate.rotate import cert_restore, cert_rotate_https
from deploy.certificate.source import CertOptions
from deploy.credential.list import creds_list
from deploy.credential.seal import creds_rotate, creds_seal, creds_set
from deploy.fleet import nodes
from deploy.image.prune import prune
from deploy.image.send import image_send
from deploy.image.verify import image_verify
from deploy.inventory.status import cert_status
from deploy.machine.drift.converge import ConvergeOptions, converge
from deploy.machine.drift.drift import drift
from deploy.machine.install import first_boot, install, live_system
from deploy.machine.install.plan.live_facts import LiveFacts
from deploy.machine.install.plan.options import Installation
from deploy.machine.rebuild import rebuild
from deploy.metrics.metrics import metrics
from deploy.node import session
from deploy.node.command import Command
from deploy.node.holdings import AuthorizedKey, Holdings, HostKeys, SealedCredential
from deploy.node.journal import AuditLine
from deploy.node.lock import Holder
from deploy.node.pull_result import Look
from deploy.node.remote import Result
from deploy.node.state import NodeState, Route
from deploy.node.trust import trust
from deploy.node.unlock import unlock
from deploy.overview.page import page
from deploy.project import Project
from deploy.proxy.deploy import proxy_deploy
from deploy.proxy.routes import maintenance, proxy_routes
from deploy.pull.status import pull
from deploy.receipt.plan.chain import NodeRelease
from deploy.receipt.store import NodeReceipt, NodeReceipts
from deploy.receipt.verify import receipts_verify
from deploy.rehearse import faults
from deploy.rehearse.faults import rehearse_fault
from deploy.rehearse.plan.observation import Observation
from deploy.rehearse.try_image import report, try_on
from deploy.spec.access_key import AccessKey
from deploy.spec.people import write_keys
from deploy.spec.spec import spec_from_settings
from deploy.task import task
from tests.unit.deploy.app.shop import Shop
from tests.unit.deploy.examples import NOW, settings
from tests.unit.deploy.image.make import image, layer, write_layout
from tests.unit.deploy.machine.drift.node import matching
from tests.unit.deploy.machine.install.test_install import LIVE_KEY
from tests.unit.deploy.machine.install.test_install import facts as live_facts
from tests.unit.deploy.rehearse.plan.trials import seen, wrote
from tests.unit.deploy.ssh_server import new_identity

pytestmark = pytest.mark.loopback

# Sets the clipboard, clears the screen, overwrites the line, turns the text around.
HOSTILE = "\x1b]52;c;eA==\x07\x9b2J\r\x00\x7f\u202e\u2028\u0085\U000e0041[bold]"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl"
MADE = image([layer({"a": b"1"})])
# What the n-th command of a verb, and every later one, does: fail.
FAILURES = (0, 3, 99)


def nodes_of(project: Project) -> tuple[nodes.Node, ...]:
    return nodes.nodes([project])


def credentials(project: Project) -> Credentials:
    return Credentials(project.settings, None)


def _trust_a_hostile_server(project: Project) -> None:
    def greet() -> None:
        plain, _ = listener.accept()
        with plain:
            plain.sendall(f"{HOSTILE}\r\nSSH-1.0{HOSTILE}-x\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        there = {"node_address": "127.0.0.1", "node_port": listener.getsockname()[1]}
        try:
            trust(
                Project(project.folder, project.settings.model_copy(update=there)), fingerprint=""
            )
        finally:
            thread.join()


def _try_image(project: Project) -> None:
    with session.open_session(project) as remote:
        report(project.settings.image, try_on(remote, project, 20))


def _page(project: Project) -> None:
    file = project.folder / "fleet.html"
    page((project,), file, lines=9)
    assert unseen(file.read_text(encoding="utf-8")) <= {"\n"}


VERBS: dict[str, Callable[[Project], object]] = {
    "node-collected": node_collected,
    "maintenance": lambda one: maintenance(one, "on"),
    "proxy-deploy": lambda one: proxy_deploy(behind_proxy(one), force=True, wait_seconds=0),
    "proxy-logs": lambda one: logs(proxy_of(one), 9),
    "proxy-rollback": lambda one: rollback(proxy_of(one), to=""),
    "proxy-routes": lambda one: proxy_routes(one, as_json=False),
    "proxy-status": lambda one: status(proxy_of(one), as_json=False),
    "access-add": lambda one: access_add(nodes_of(one), "ann", one.folder / "ann.pub", days=0),
    "access-list": lambda one: access_list(nodes_of(one), as_json=False),
    "access-sign": lambda one: access_sign(
        nodes_of(one), one, "ann", one.folder / "ann.pub", hours=1
    ),
    "access-remove": lambda one: access_remove(nodes_of(one), "eve", identity=one.folder / "id"),
    "audit": lambda one: audit(one, lines=9, every=True, as_json=False),
    "cert-renew": lambda one: cert_renew(one, CertOptions(), credentials(one), force=True),
    "cert-restore": lambda one: cert_restore(one, credentials(one)),
    "cert-rotate-https": lambda one: cert_rotate_https(one, CertOptions(), credentials(one)),
    "cert-rotate-ssh": lambda one: cert_rotate_ssh(nodes_of(one), one.folder / "id"),
    "cert-status": lambda one: cert_status((one,), as_json=False, prometheus=False),
    "converge": lambda one: converge(one, ConvergeOptions(may_change=True)),
    "creds-list": lambda one: creds_list(one, as_json=False),
    "creds-rotate": lambda one: creds_rotate(one, "token"),
    "creds-seal": lambda one: creds_seal((one,), "", go_on=False),
    "creds-set": lambda one: creds_set(_with_typed_secret(one), "typed", lambda: "x"),
    "deploy": lambda one: deploy(one, DeployOptions(force=True)),
    "drift": lambda one: drift(one, as_json=False),
    "host-key-rotate": lambda one: host_key_rotate(nodes_of(one)[0], finish=False, at_once=True),
    "image-repair": lambda one: image_repair(one, asked=True),
    "image-send": lambda one: image_send([_with_own_image(one)], events=False),
    "image-verify": lambda one: image_verify(_with_own_image(one)),
    "install": lambda one: install.install(*_live(one), seconds=0, fingerprint="SHA256:live"),
    "logs": lambda one: logs(one, 9),
    "metrics": lambda one: metrics((one,)),
    "page": _page,
    "plan": lambda one: show_plan(one, first=False, as_json=False, exit_code=False),
    "prune": prune,
    "pull": lambda one: pull(one, now=True, as_json=False),
    "pull-status": lambda one: pull(one, now=False, as_json=False),
    "rehearsal-fault": lambda one: rehearse_fault(one, fault="hang", worker="web"),
    "rebuild": lambda one: rebuild(*_live(one), seconds=0, fingerprint="SHA256:live"),
    "receipts-verify": lambda one: receipts_verify(
        _with_signers(one), here=False, copy=True, as_json=False
    ),
    "releases": lambda one: releases(one, as_json=False),
    "rollback": lambda one: rollback(one, to=""),
    "status": lambda one: status(one, as_json=False),
    "trust": _trust_a_hostile_server,
    "try": _try_image,
    "unlock": lambda one: unlock(one, reason="x"),
}
# These ask no node, or are made of verbs above.


def behind_proxy(project: Project) -> Project:
    """Let the proxy's image be a file: no registry is asked."""
    own = {"proxy_image": "oci:proxy"}
    return Project(project.folder, project.settings.model_copy(update=own))


OTHERS = {
    *("cert-issue", "cert-request", "check", "cloud", "help", "init", "iso", "os-image", "prepare"),
    *(
        "pxe",
        "rehearsal-down",
        "rehearsal-reboot",
        "rehearsal-status",
        "rehearsal-up",
        "rehearsal-update",
    ),
    *(
        "enrol",
        "notify-test",
        "operator-key",
        "promote",
        "proxy-build",
        "node-command",
        "publish",
        "publish-key",
        "receipts",
        "sample-build",
        "vm",
        "withdraw",
    ),
}


# These warn, and go on in another way; the answer of an app's supervisor is not JSON.
UNSHOWN = {"image-send", "rehearsal-fault"}


def _with_own_image(project: Project) -> Project:
    layout = write_layout(MADE, project.folder / "layout")
    own = {"image": f"oci:{layout}", "image_cache": project.folder / "cache"}
    return Project(project.folder, project.settings.model_copy(update=own))


def _with_typed_secret(project: Project) -> Project:
    own = {"secrets": settings(**{"SECRET_*": {"typed": ""}}).secrets}
    return Project(project.folder, project.settings.model_copy(update=own))


def _with_signers(project: Project) -> Project:
    project.receipt_signers.write_text("")
    return project


def _live(project: Project) -> tuple[Project, str, Installation]:
    project.build.mkdir(exist_ok=True)
    project.ignition.write_text(json.dumps({"ignition": {"version": "3.3.0"}}))
    return project, "192.0.2.7", Installation("/dev/sda")


def hostile(model: Any, value: Any) -> Any:
    """Add hostile text to every string and key of an answer whose type allows it."""
    adapter = TypeAdapter(model)
    whole = json.loads(adapter.dump_json(value, by_alias=True))
    for inside, key in tuple(_places(whole)):
        was = inside[key]
        if isinstance(was, str):
            inside[key] = was + HOSTILE
            if not _fits(adapter, whole):
                inside[key] = was
        if isinstance(key, str):
            inside[key + HOSTILE] = was
            if not _fits(adapter, whole):
                del inside[key + HOSTILE]
    assert r"\u001b]52" in json.dumps(whole)
    return whole


def _places(inside: Any) -> Iterator[tuple[Any, Any]]:
    """Find every value of an answer, by the list or object that it is in."""
    for key, value in inside.items() if isinstance(inside, dict) else enumerate(inside):
        yield inside, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _fits(adapter: TypeAdapter[Any], whole: Any) -> bool:
    try:
        adapter.validate_json(json.dumps(whole))
    except ValidationError:
        return False
    return True


# Made once: it takes longer than a verb.
_MADE_ANSWERS: dict[str, str] = {}


def answers(shop: Shop, project: Project) -> dict[str, str]:
    """Make a hostile answer for every script that has one."""
    if not _MADE_ANSWERS:
        _MADE_ANSWERS.update(_answers(shop, project))
    return _MADE_ANSWERS


def _answers(shop: Shop, project: Project) -> dict[str, str]:
    held = shop.deployed(
        routes=(Route(subnet="10.0.0.0/8", interface="eth0", network="x"),),
        active="activating",
        status_text="up",
        leftover="green",
        staged_update="43",
        os_update="43 is healthy",
        credentials={"cert_pass": "same", "token": "same"},
    )
    held = held.model_copy(update={"layers": {**held.layers, MADE.id: tuple(MADE.diff_ids)}})
    assert held.manifest
    kept = tuple(
        KeptRelease(
            manifest=held.manifest.model_copy(update={"release": release}),
            serves=release == "r1",
            failed=False,
            bytes=1,
            image_bytes=1,
        )
        for release in ("r0", "r1")
    )
    line = AuditLine(at=NOW, app="x", what="deploy", who="ann", release="r9", detail="why")
    failed = line.model_copy(update={"result": "failed"})
    keys = (AuthorizedKey(user="core", file="/f", line=f"{KEY} eve", age_seconds=1),)
    host_keys = HostKeys.model_validate(
        {"keys": ({"key": KEY, "age_seconds": 1, "next": True},), "changing": True}
    )
    holdings = Holdings(
        clock=0,
        release="x",
        inside="y",
        manifest=held.manifest,
        host_keys=host_keys.keys,
        host_keys_changing=True,
        access=keys,
        credentials=(SealedCredential(name="cert_pass", age_seconds=1, seal="x", opens=False),),
        compared={},
    )
    inspection = matching(spec_from_settings(project).machine).model_copy(
        update={"manifest": held.manifest, "firewall": ("- x",), "sysctl": {"a": "b"}}
    )
    workers = Workers(
        state="bad",
        workers=(Worker(name="web", state="hung", last_sign=1, restarts=2, reasons=("hang",)),),
    )
    look = Look(
        at=NOW, result="failed", why="so", reference="registry.example.org/shop/www:live",
        digest="sha256:" + "a" * 64, image_id="", release="20300615-120000-ab12",
    )  # fmt: skip
    made = NodeRelease(
        release="r1", manifest=kept[1].manifest, serves=True, failed=False, unfinished=False
    )
    receipts = NodeReceipts(
        receipts=(NodeReceipt(release="r0", content="e30=", signature=""),), releases=(made,)
    )
    typed: dict[str, tuple[Any, Any]] = {
        "receipts": (NodeReceipts, receipts),
        "probe": (NodeState, held),
        "releases": (tuple[KeptRelease, ...], kept),
        "holdings": (Holdings, holdings),
        "inspect": (type(inspection), inspection),
        "workers": (Workers, workers),
        "unlock": (Holder, Holder("eve", "deploy", NOW)),
        "access-list": (tuple[AuthorizedKey, ...], keys),
        "host-key": (HostKeys, host_keys),
        "try-image": (Observation, seen(log="up", written=wrote("app/", "+app/1"))),
        "pull-status": (Look, look),
        "live-facts": (LiveFacts, LiveFacts.model_validate_json(live_facts())),
    }
    found = {
        script: json.dumps(hostile(model, value), ensure_ascii=False)
        for script, (model, value) in typed.items()
    }
    lines = [json.dumps(hostile(AuditLine, one), ensure_ascii=False) for one in (line, failed)]
    return found | {
        "audit-lines": "\n".join(lines),
        "lock": "held\n",
        "logs": f"a {HOSTILE}\nb\n",
        "metrics": f'# HELP x {HOSTILE}\nx{{a="{HOSTILE}"}} 1\n',
        "state": f"active{HOSTILE} 0",
        "texts": "-\n" * 200,
    }


@pytest.fixture
def project(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A deployed shop whose node says hostile things."""
    new_identity(shop.folder / "id")
    new_identity(shop.folder / "ann")
    made = shop.project(SSH_KEYS="id.pub", RELOAD_SIGNAL="HUP", **{"SECRET_*": {"token": "t0ken"}})

    @contextmanager
    def connect(*_: object, **__: object) -> Iterator[object]:
        yield shop.remote

    for module in (nodes, install, first_boot):
        monkeypatch.setattr(module, "connect", connect)
    for module in (live_system, first_boot):
        monkeypatch.setattr(module, "read_host_key", lambda _: (LIVE_KEY, "SHA256:live"))
    monkeypatch.setattr(faults, "_LONGEST_SECONDS", 0)
    write_keys(made, "eve", (AccessKey(*KEY.split()),))
    pair = load(material(made))
    replace(material(made), Pair(pair.chain, pair.key + b"\n"), now=NOW)
    replace(material(made), pair, now=datetime.now(UTC))
    return made


def play(shop: Shop, project: Project, failing: int) -> None:
    """Let the node's first commands succeed with hostile answers, and the others fail."""
    good = answers(shop, project)

    def answer(command: Command) -> Result:
        if len(shop.remote.commands) > failing:
            return Result(1, HOSTILE, f"{HOSTILE} broken {HOSTILE}\n")
        return Result(0, good.get(command.script, HOSTILE), HOSTILE)

    scripts = {*good, *(path.stem for path in Path("deploy").rglob("scripts/*.sh"))}
    shop.remote.answers |= dict.fromkeys(scripts, answer)


def unseen(text: str) -> set[str]:
    return {one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


@pytest.mark.parametrize("failing", FAILURES)
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_hostile_node_neither_steers_the_terminal_nor_causes_a_traceback(
    shop: Shop, project: Project, capfd: pytest.CaptureFixture[str], verb: str, failing: int
) -> None:
    play(shop, project, failing)

    @task("look")
    def command(_: Context) -> None:
        VERBS[verb](project)

    with contextlib.suppress(Exit):
        command(Context())

    said = capfd.readouterr()
    assert unseen(said.out + said.err) <= {"\n"}
    # The first answer of a node that fails at once is shown, as escapes.
    if failing == 0 and verb not in UNSHOWN:
        assert r"\x1b]52;c;eA==\x07\x9b2J\r\x00\x7f\u202e\u2028\x85" in said.out + said.err


def test_every_command_is_tried_against_a_hostile_node_or_listed(tmp_path: Path) -> None:
    collection: Collection = fabfile.collect(tmp_path)

    assert set(collection.task_names) == VERBS.keys() | OTHERS
    assert not VERBS.keys() & OTHERS
