"""A machine makes its own key and its status page, which the operator's key opens."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from certs.envelope import fingerprint, open_envelope, read_certificates
from deploy.page.plan.page import Page, read_page
from deploy.page.remote import JOURNAL_LINES
from deploy.project import TEMPLATES
from deploy.spec.carried import STATUS_SCRIPTS, carried_scripts
from tests.unit.deploy.page.pages import holder

pytestmark = pytest.mark.program
FAKES = {
    "systemctl": "case $* in *--failed*) echo broken.service loaded failed failed x ;; esac",
    # Sealing is this machine's matter.
    "systemd-creds": "case $1 in encrypt) tr a-zA-Z n-za-mN-ZA-M ;; esac",
    "podman": "exit 125",
}
LINE = '{"app": "shop-www", "what": "pull", "n": %d}\n'

METRICS = "corefab_os_staged 0\n# EOF\n"


@pytest.fixture
def run(tmp_path: Path, program: Callable[[str], str]) -> Callable[..., str]:
    """Run a script as on a machine whose files lie in a folder."""
    for name, text in FAKES.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    for name in ("jq", "openssl"):
        program(name)

    def run_script(files: Mapping[str, bytes], name: str, **environment: str) -> str:
        for one, content in files.items():
            text = content.decode()
            for folder in ("/etc/", "/run/", "/var/lib/"):
                text = text.replace(f"{folder}corefab", f"{tmp_path}{folder}corefab")
            # The priority of the session that runs the tests stays as it is.
            text = text.replace("/proc/self/autogroup", "/dev/null")
            text = text.replace("/etc/credstore", f"{tmp_path}/etc/credstore")
            text = text.replace("'/var/lib/%s'", f"'{tmp_path}/var/lib/%s'")
            # On a machine all of it is root's.
            text = text.replace("owner_above() {", "owner_above() {\nreturn 0")
            file = tmp_path / "etc/corefab/status" / one
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("/etc/issue.d", f"{tmp_path}/etc/issue.d"))
        path = f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [program("bash"), str(tmp_path / "etc/corefab/status" / name)],
            check=True,
            capture_output=True,
            encoding="utf-8",
            env={"PATH": path, **environment},
        )
        return done.stdout

    return run_script


def test_the_page_of_a_machine_with_its_own_key_is_read(
    tmp_path: Path, run: Callable[..., str]
) -> None:
    said = run({"key.sh": (TEMPLATES / "node/node-key.sh").read_bytes()}, "key.sh")

    sealed = tmp_path / "etc/credstore.encrypted/corefab-node-key"
    (node,) = read_certificates((tmp_path / "var/lib/corefab/node.crt").read_bytes(), source="node")
    assert said == f"Node key: {fingerprint(node)}\n"
    assert (tmp_path / "etc/issue.d/30-corefab.issue").read_text() == said
    assert sealed.stat().st_mode & 0o777 == 0o600
    clear = [path for path in tmp_path.rglob("*") if _holds_a_key(path)]
    assert clear == []

    key = _unseal(sealed, tmp_path / "credentials/corefab-node-key")
    assert _holds_a_key(key)
    own = _machine(tmp_path)
    run(carried_scripts(STATUS_SCRIPTS), "page.sh", CREDENTIALS_DIRECTORY=str(key.parent))

    served = tmp_path / "run/corefab/proxy/status"
    assert (served / "node.crt").read_bytes() == (
        tmp_path / "var/lib/corefab/node.crt"
    ).read_bytes()
    for name in ("colleague", "operator"):
        page = _opened(served / "status", name, node)
        lines = page.answers[f"audit-lines - {JOURNAL_LINES}"].splitlines()
        assert len(lines) == JOURNAL_LINES
        assert '"n":98' in lines[-1]
        assert page.answers["metrics"] == METRICS
        assert json.loads(page.answers["pull-status node"]) == {"result": "waiting"}
        assert page.failed_units == ("broken.service",)
        assert page.memory_available_bytes > 0
        (release,) = json.loads(page.answers["releases shop-www"])
        assert release["manifest"]["units"] == {f"{own}/lib.sh": ""}
    answers = _opened(served / "drift", "operator", node).answers
    assert answers["spec-hash"] == "ab12\n"
    found = json.loads(answers["inspect shop-www"])
    assert found["manifest"]["units"] == {f"{own}/lib.sh": "ef34"}
    assert {path: one["kind"] for path, one in found["paths"].items()} == {
        f"{own}/lib.sh": "file",
        f"{own}/page.sh": "file",
        f"{own}/gone": "absent",
    }
    assert not (tmp_path / "run/corefab/page").exists()


def _machine(root: Path) -> Path:
    """Lay out what pages are made of, with an app of one release."""
    own = root / "etc/corefab/status"
    (own / "operator-0.crt").write_bytes(holder("colleague").pem)
    (own / "operator-1.crt").write_bytes(holder("operator").pem)
    (own / "question").write_text(f"path {own}/page.sh\npath {own}/gone\n")
    (root / "etc/corefab/spec").write_text("ab12\n")
    (root / "etc/corefab/pull/shop-www").mkdir(parents=True)
    (root / "etc/corefab/pull/shop-www/pull.sh").touch()
    (root / "etc/corefab/pull/node").mkdir()
    (root / "etc/corefab/pull/node/bundle.sh").touch()
    (root / "var/lib/corefab/pull/node").mkdir(parents=True)
    (root / "var/lib/corefab/pull/node/status.json").write_text('{"result": "waiting"}\n')
    (root / "var/lib/corefab/audit.log").write_text("".join(LINE % n for n in range(99)))
    (root / "run/corefab/metrics").mkdir(parents=True)
    (root / "run/corefab/metrics/corefab.prom").write_text(METRICS)
    release = root / "var/lib/shop-www/releases/r1"
    release.mkdir(parents=True)
    manifest = {"release": "r1", "image_id": "sha256:1", "units": {f"{own}/lib.sh": "ef34"}}
    (release / "manifest.json").write_text(json.dumps(manifest))
    (root / "var/lib/shop-www/current").symlink_to("releases/r1")
    return own


def _opened(page: Path, name: str, node: Certificate) -> Page:
    one = holder(name)
    opened = open_envelope(page.read_bytes(), (one.certificate,), one.key, source="page")
    return read_page(opened, node)


def test_a_machine_without_operators_shows_its_certificate_alone(
    tmp_path: Path, run: Callable[..., str]
) -> None:
    (tmp_path / "var/lib/corefab").mkdir(parents=True)
    (tmp_path / "var/lib/corefab/node.crt").write_bytes(holder("node").pem)
    (tmp_path / "run").mkdir()

    run(carried_scripts(STATUS_SCRIPTS), "page.sh", CREDENTIALS_DIRECTORY="/none")

    served = tmp_path / "run/corefab/proxy/status"
    assert [path.name for path in served.iterdir()] == ["node.crt"]


def _unseal(sealed: Path, key: Path) -> Path:
    words = ["tr", "a-zA-Z", "n-za-mN-ZA-M"]
    done = subprocess.run(words, input=sealed.read_bytes(), check=True, capture_output=True)
    key.parent.mkdir()
    key.write_bytes(done.stdout)
    return key


def _holds_a_key(path: Path) -> bool:
    return path.is_file() and b"PRIVATE KEY-----" in path.read_bytes()
