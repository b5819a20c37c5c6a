"""A fleet for the tests of the page: one node in order, one with trouble, one unheard."""

from datetime import timedelta
from pathlib import Path

from deploy.app.plan.history import KeptRelease, PastRelease, history
from deploy.inventory.places import Finding, Place
from deploy.machine.drift.plan.difference import Difference
from deploy.metrics.plan.exposition import read_metrics
from deploy.node.journal import AuditLine
from deploy.overview.plan.fleet import App, Fleet, Node, Unknown
from deploy.overview.plan.page import write_page
from tests.root import ROOT
from tests.unit.certs.forge import Recipe, authority, forge
from tests.unit.deploy.examples import manifest, state

CERTIFICATE = forge(Recipe(names=("www.example.org",)), authority()).certificate
NOW = CERTIFICATE.not_after - timedelta(days=60)
STYLE = (ROOT / "deploy/overview/page.css").read_text(encoding="utf-8")
METRICS = """\
corefab_boot_timestamp_seconds 1900000000
corefab_failed_units 1
corefab_memory_size_bytes 4000000000
corefab_memory_available_bytes 1000000000
corefab_filesystem_size_bytes{path="/var"} 80000000000
corefab_filesystem_available_bytes{path="/var"} 6000000000
"""


def change(text: str = "", **values: object) -> AuditLine:
    """Make a line of the journal, in which every free text is `text` where one is given."""
    line = {"at": NOW - timedelta(hours=5), "app": "shop-www", "who": text or "ann@desk"}
    free = {"what": text, "detail": text, "address": text, "commit": text} if text else {}
    return AuditLine.model_validate(line | free | values)


def past(text: str = "", journal: tuple[AuditLine, ...] = ()) -> tuple[PastRelease, ...]:
    """Make the releases of an app: some deploys of different lengths."""
    kept = [
        KeptRelease(
            manifest=manifest(
                release=f"20300{number}15-120000-ab12",
                image=text or "registry.example.org/shop:1",
                by=text or "ann@desk",
                commit=text or "c0ffee" * 6,
                at=NOW - timedelta(days=40 - number),
                seconds={"start": 3.0 * number + 1.5},
            ),
            serves=number == 5,
            failed=False,
            bytes=1,
            image_bytes=2,
        )
        for number in range(1, 6)
    ]
    return history(kept, journal)


def app(text: str = "", **values: object) -> App:
    """Make an app in order; `text` is in every place where others choose the text."""
    lines = (change(text, result="failed", release="20300701-100000-ffff"),)
    made: dict[str, object] = {
        "name": text or "shop-www",
        "state": state(
            manifest=manifest(image=text or "registry.example.org/shop:1", by=text or "ann@desk"),
            os=text or "Fedora CoreOS 44.20300601.3.0",
            status_text=text,
            credentials={text or "cert_pass": "present"},
        ),
        "health": text or "healthy",
        "warn_days": 30,
        "releases": past(text, lines),
        "places": (Place("workstation", CERTIFICATE), Place(text or "served", CERTIFICATE)),
    }
    return App(**(made | values))  # type: ignore[arg-type]


def hostile(text: str) -> Fleet:
    """Make a fleet in which every text that others choose is this one."""
    place = Place(text, None, text)
    drift = (Difference("file", text, text, text),)
    lines = (change(text, app=text), change(text))
    shown = app(text, places=(place,), findings=(Finding(text),), drift=drift)
    lost = app(text, state=Unknown(text), places=Unknown(text), drift=Unknown(text))
    node = Node(text, (shown, lost), trouble=text, journal=lines, metrics=Unknown(text))
    unheard = Node(text, (App(text, Unknown(text)),), unheard=text)
    return Fleet(NOW, (node, unheard, Node("web9", (), journal=Unknown(text))))


def fleet() -> Fleet:
    """Make a fleet as it is on most days."""
    lines = tuple(
        change(
            at=NOW - timedelta(days=2 * number),
            what=("deploy", "rollback", "cert-renew")[number % 3],
            result="failed" if number % 4 == 3 else "ok",
            release=f"203005{10 + number}-120000-ab12",
            detail="the health path answers 502" if number % 4 == 3 else "",
            address="192.0.2.44",
        )
        for number in range(12)
    )
    machine = change(app="node", what="converge", who="bob@laptop", at=NOW - timedelta(days=3))
    soon = forge(Recipe(end=NOW + timedelta(days=9)), authority()).certificate
    drift = (
        Difference("file", "/etc/sysctl.d/90-shop.conf", "0644 root:root", "0600 root:root", NOW),
        Difference("unit", "shop-www-blue.service", "active", "failed", None, "fab deploy"),
    )
    sick = app(
        name="blog-www",
        health="the health path answers 502",
        places=(Place("workstation", soon), Place("served", None, "shows no certificate")),
        findings=(Finding("served: no certificate", is_error=True),),
        drift=drift,
    )
    why = "web3.example.org does not answer at port 22: connection timed out"
    other = Unknown("the spec of the node is not in state/specs")
    return Fleet(
        NOW,
        (
            Node(
                "web1.example.org", (app(),), journal=(*lines, machine),
                metrics=tuple(read_metrics(METRICS.replace("units 1", "units 0"))),
            ),
            Node(
                "web2.example.org:2222", (sick, app(name="api-www", drift=other)),
                trouble="its status page is 20 minutes old",
                journal=(change(app="blog-www", result="failed", detail="not healthy"),),
                metrics=read_metrics(METRICS),
            ),
            Node("web3.example.org", (App("docs-www", Unknown(why)),), unheard=why),
        ),
    )  # fmt: skip


def written(shown: Fleet, *secrets: str) -> str:
    """Write the page of a fleet, with the style that it has."""
    return write_page(shown, STYLE, secrets)


def main(folder: Path) -> None:
    """Write the page, for a look."""
    (folder / "fleet.html").write_text(written(fleet()), encoding="utf-8")
