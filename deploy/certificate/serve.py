"""Serve the workstation's certificate on the node, checked by TLS handshakes; else undo."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from deploy.app.credentials import Credentials
from deploy.app.deploy import DeployOptions, deploy
from deploy.app.health import visit, wait_until_healthy
from deploy.app.tls import Pair, check_pair, load_pair
from deploy.certificate import act
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.clock import difference
from deploy.node.endpoint import Endpoint
from deploy.node.file import File, pack
from deploy.node.journal import audit_failures, audit_line
from deploy.node.lock import acquire_lock
from deploy.node.release import Manifest, Proof, proof_of
from deploy.node.remote import Remote
from deploy.node.state import NodeState, probe
from deploy.project import Project
from deploy.settings.model import CERT_PASS, Settings

_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reload:
    """Replace the certificate of a running app without restarting it.

    It is checked as its release is, by the names of the new certificate.
    """

    remote: Remote
    settings: Settings
    endpoints: tuple[Endpoint, ...]
    pair: Pair
    held: Manifest
    password: bytes | None = field(repr=False)

    def carry_out(self, audit: str) -> None:
        """Stage, swap and check the new certificate; on failure put the previous one back.

        Raises:
            DeployError: saying which certificate serves.
            BaseException: any other, such as Ctrl-C, after the previous one is back.
        """
        remote, (app, release, signal) = self.remote, self._words
        try:
            with progress.step("Stage the new certificate", "new certificate staged"):
                remote.checked(
                    act.certificate_stage(app, release, self._archive()),
                    "staging the certificate",
                )
                if self.password is not None:
                    remote.checked(
                        act.certificate_seal(app, release, self.password),
                        f"sealing {CERT_PASS}",
                    )
            with progress.step(f"Swap and send SIG{signal}", f"swapped; SIG{signal} sent to {app}"):
                remote.checked(act.certificate_swap(app, release, signal), "swapping certificates")
            self._prove(self.pair.leaf.sha256, self._proof)
        except DeployError as error:
            raise DeployError(f"{error.message}\n{self._put_back()}", error.hint) from error
        except BaseException:
            output.say(self._put_back())
            raise
        remote.checked(act.certificate_finish(app, release, audit), "finishing the rotation")

    @property
    def _held_proof(self) -> Proof:
        return self.held.proof or proof_of(self.settings)

    @property
    def _proof(self) -> Proof:
        return self._held_proof.model_copy(update={"names": self.settings.cert_names})

    def _prove(self, fingerprint: str, proof: Proof) -> None:
        endpoints = tuple(replace(one, host=proof.host) for one in self.endpoints)
        where, short = ", ".join(map(str, endpoints)), fingerprint[:16]
        with progress.step(f"Check {where}", f"{where}: healthy, certificate {short} shown"):
            seconds = self.settings.health_timeout_seconds
            wait_until_healthy(endpoints, proof.path, fingerprint, timeout_seconds=seconds)

    def _put_back(self) -> str:
        try:
            self.remote.checked(act.certificate_undo(*self._words), "undoing the rotation")
            self._prove(self.held.certificate, self._held_proof)
        except DeployError as error:
            return f"putting the previous certificate back failed: {error.message}"
        return f"certificate {self.held.certificate[:16]} serves again, proven by handshake"

    def _archive(self) -> bytes:
        key = hashlib.sha256(self.pair.key_file).hexdigest()
        count = dict(self.held.generations)
        if self.password is not None:
            count[CERT_PASS] = count.get(CERT_PASS, 0) + 1
        manifest = self.held.model_copy(
            update={
                "certificate": self.pair.leaf.sha256,
                "key": key,
                "generations": count,
                "proof": self._proof,
            }
        )
        return pack(
            [
                *self.pair.files(self.settings),
                File("manifest.json", manifest.model_dump_json(indent=1).encode()),
            ]
        )

    @property
    def _words(self) -> tuple[str, str, str]:
        return self.settings.app, self.held.release, self.settings.reload_signal


def serve_pair(project: Project, credentials: Credentials) -> None:
    """Check the workstation's pair and serve it, unless the node does already.

    An app with RELOAD_SIGNAL loads it without a restart or a failed connection. Any other app is
    deployed, with everything else that has changed here.

    Raises:
        CertError: when the pair is not valid; before the node is changed.
        DeployError: when it does not serve; the previous one does.
    """
    settings = project.settings
    pair = load_pair(project)
    check_pair(pair, settings, credentials.value(CERT_PASS))
    with session.open_session(project) as remote:
        values = {CERT_PASS: credentials.value(CERT_PASS)}
        state = probe(remote, settings.app, paths=(), credentials=values)
        _refuse_clock(state, datetime.now(UTC))
        if state.manifest is None:
            output.say(f"{settings.app} is not on the node yet; run `fab deploy --first`")
            return
        reloads = (
            (settings.reload_signal or settings.tls == "proxy")
            and state.active == "active"
            and not state.interrupted
        )
        if reloads:
            sealed = state.credentials.get(CERT_PASS) == "same"
            password = None if sealed else credentials.value(CERT_PASS).encode()
            _reload(project, remote, pair, state.manifest, password)
    if not reloads:
        deploy(project, DeployOptions(what="certificate"))


def _refuse_clock(state: NodeState, now: datetime) -> None:
    if text := difference(state.clock, now, allowed=_SKEW):
        raise DeployError(
            f"{text}, so certificates would begin and expire at other times",
            "check chronyd there (`chronyc tracking`), or the clock here (`timedatectl`)",
        )


def _reload(
    project: Project, remote: Remote, pair: Pair, manifest: Manifest, password: bytes | None
) -> None:
    settings = project.settings
    proof = manifest.proof or proof_of(settings)
    endpoints = session.endpoints(project, proof)
    marks = (pair.leaf.sha256, hashlib.sha256(pair.key_file).hexdigest())
    held_already = (manifest.certificate, manifest.key) == marks and password is None
    if held_already and not visit(endpoints, proof.path, pair.leaf.sha256).problem:
        output.good(f"{settings.app} serves {pair.leaf.sha256[:16]} already")
        return
    acquire_lock(remote, project, "certificate")
    line = audit_line(project, "certificate", f"SHA-256 {pair.leaf.sha256}")
    line = line.model_copy(update={"release": manifest.release})
    with audit_failures(remote, line):
        Reload(remote, settings, endpoints, pair, manifest, password).carry_out(line.to_json())
