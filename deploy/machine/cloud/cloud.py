"""Verb: write the user data and the Terraform file that start the machine at a provider."""

from pathlib import Path
from urllib.parse import urlsplit

from butane.render import render_text
from deploy.console import output
from deploy.errors import DeployError
from deploy.machine.cloud.plan.cloud_values import cloud_values
from deploy.machine.cloud.plan.user_data import ASSUMED, LIMITS, pointer, secrets_in
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.spec import prepared_spec
from deploy.workstation.files import write_atomically

_PUBLIC = 0o644
_TEMPLATES = Path(__file__).parent / "templates"


def cloud(project: Project, provider: str, *, domain: str, url: str) -> Path:
    """Write build/cloud/<provider>/: user-data.ign and main.tf; return the folder.

    Raises:
        DeployError: for an unknown provider, a spec that is too large or holds a secret, or a file
            of an older version.
    """
    if provider not in LIMITS:
        known = ", ".join(LIMITS)
        raise DeployError(f"unknown provider {provider!r}", f"known providers: {known}")
    config = prepared_spec(project)
    _refuse_secrets(project.settings, config)
    text = _terraform(project.settings, provider, domain)
    target = project.build / "cloud" / provider
    _refuse_old_file(target / "main.tf.json")
    user_data = _user_data(config, provider, url)
    write_atomically(target / "user-data.ign", user_data, _PUBLIC)
    write_atomically(target / "main.tf", text.encode(), _PUBLIC)
    if user_data is not config:
        write_atomically(target / "machine.ign", config, _PUBLIC)
        output.say(f"upload machine.ign to {url} before the machine starts; its hash is checked")
    shown = target.relative_to(project.folder)
    output.good(f"{shown}/user-data.ign: {len(user_data)} bytes")
    output.good(f"{shown}/main.tf: machine, address, DNS")
    output.say(f"next: cd {shown} && terraform init && terraform apply")
    output.say("then: fab trust (the fingerprint is on the provider's console)")
    output.say("then, with NODE_ADDRESS the address it printed: fab deploy --first")
    return target


def _refuse_secrets(settings: Settings, config: bytes) -> None:
    values = {
        one.key: one.value.get_secret_value() if one.value else "" for one in settings.all_sources
    }
    if found := secrets_in(config, values):
        raise DeployError(
            f"the machine spec holds {'; '.join(found)}",
            "every process of the machine, containers too, can read its user data as long as it "
            "exists: remove the secret from the overlay; `fab deploy` brings credentials over SSH",
        )


def _terraform(settings: Settings, provider: str, domain: str) -> str:
    values = cloud_values(settings.node_hostname, domain, settings.all_names)
    if domain and not values["RECORD"]:
        raise DeployError(
            f"none of CERT_NAMES ({', '.join(settings.all_names)}) is in the zone {domain}",
            "give their zone with --domain",
        )
    template = _TEMPLATES / f"{provider}.tf"
    return render_text(template.read_text(encoding="utf-8"), values, source=str(template))


def _refuse_old_file(path: Path) -> None:
    """Refuse to write beside the main.tf.json of an older version: Terraform would load both."""
    if path.exists():
        raise DeployError(
            f"{path} was written by an older corefab; Terraform would load it beside main.tf and "
            "find every resource twice",
            f"rm {path}, and run this again; if it was applied, CHANGELOG.md says how its DNS "
            "records are kept",
        )


def _user_data(config: bytes, provider: str, url: str) -> bytes:
    if url:
        _check_url(url)
        return pointer(config, url)
    if len(config) <= LIMITS[provider]:
        return config
    assumed = " (the provider publishes no limit)" if provider in ASSUMED else ""
    raise DeployError(
        f"the machine spec has {len(config)} bytes, {provider} takes {LIMITS[provider]}{assumed}",
        "upload build/<app>.ign to an https address that the machine can reach, and give it: "
        "--url https://…; the user data then refers to it, with the file's hash",
    )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise DeployError(f"--url is {url!r}", "give the https address of the file")
    if parts.username or parts.password:
        raise DeployError(
            "--url holds a user or password",
            "every process of the machine can read user data: give an address without them",
        )
