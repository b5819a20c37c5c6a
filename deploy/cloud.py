"""Verb: what a cloud provider needs to start the machine: user data, and Terraform's JSON."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy import report
from deploy.errors import DeployError
from deploy.files import write_atomically
from deploy.plan.terraform.digitalocean import digitalocean
from deploy.plan.terraform.document import Cloud, CloudMachine, document, records_of
from deploy.plan.terraform.hetzner import hetzner
from deploy.plan.terraform.vultr import vultr
from deploy.plan.user_data import PROVIDERS, pointer, secrets_in
from deploy.project import Project
from deploy.settings.model import Settings

_CLOUDS: Mapping[str, Callable[[CloudMachine], Cloud]] = {
    "vultr": vultr,
    "hetzner": hetzner,
    "digitalocean": digitalocean,
}
_PUBLIC = 0o644


def cloud(project: Project, provider: str, *, domain: str, url: str) -> Path:
    """Write build/cloud/<provider>/: user-data.ign and main.tf.json; return the folder.

    Raises:
        DeployError: for a provider that is not known, a spec that is too large or holds a secret.
    """
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise DeployError(f"no provider {provider!r} is known", f"the known ones are: {known}")
    config = _spec(project)
    _refuse_secrets(project.settings, config)
    machine = _machine(project.settings, domain)
    target = project.build / "cloud" / provider
    user_data = _fitting(config, provider, url)
    write_atomically(target / "user-data.ign", user_data, _PUBLIC)
    text = json.dumps(document(_CLOUDS[provider](machine), machine), indent=2)
    write_atomically(target / "main.tf.json", f"{text}\n".encode(), _PUBLIC)
    if user_data is not config:
        _say_pointer(target, config, url)
    report.good(f"{target.relative_to(project.folder)}/user-data.ign: {len(user_data)} bytes")
    report.good(f"{target.relative_to(project.folder)}/main.tf.json: machine, address, DNS")
    report.say(
        f"next: cd {target.relative_to(project.folder)} && terraform init && terraform apply"
    )
    report.say("then: fab trust (the fingerprint is on the provider's console)")
    report.say("then, with NODE_ADDRESS the address it printed: fab deploy --first")
    return target


def _spec(project: Project) -> bytes:
    path = project.ignition
    if not path.exists():
        raise DeployError(f"{path} does not exist", "make it with `fab prepare`")
    return path.read_bytes()


def _refuse_secrets(settings: Settings, config: bytes) -> None:
    values = {
        one.key: one.value.get_secret_value() if one.value else "" for one in settings.sources
    }
    if found := secrets_in(config, values):
        raise DeployError(
            f"the machine spec holds {'; '.join(found)}",
            "any process on such a machine can read its user data, containers too, for as long as "
            "it exists: take it out of the overlay; credentials go over SSH with `fab deploy`",
        )


def _machine(settings: Settings, domain: str) -> CloudMachine:
    names = records_of(settings.cert_names, domain) if domain else ()
    if domain and not names:
        raise DeployError(
            f"none of CERT_NAMES ({', '.join(settings.cert_names)}) is in the zone {domain}",
            "give the zone that they are in with --domain",
        )
    return CloudMachine(settings.node_hostname, domain, names)


def _fitting(config: bytes, provider: str, url: str) -> bytes:
    limit = PROVIDERS[provider].limit
    if url:
        _check_url(url)
        return pointer(config, url)
    if len(config) <= limit:
        return config
    assumed = "" if PROVIDERS[provider].is_documented else " (the provider publishes no limit)"
    raise DeployError(
        f"the machine spec has {len(config)} bytes, {provider} takes {limit}{assumed}",
        "put build/<app>.ign somewhere that the machine can fetch it from over https, and name "
        "the place: --url https://…; the user data then points there, with the file's hash",
    )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise DeployError(f"--url is {url!r}", "it has to be an https address of the file")
    if parts.username or parts.password:
        raise DeployError(
            "--url holds a user or password",
            "user data can be read by any process of the machine: use an address without",
        )


def _say_pointer(target: Path, config: bytes, url: str) -> None:
    copy = target / "machine.ign"
    write_atomically(copy, config, _PUBLIC)
    report.say(f"put {copy.name} at {url} before the machine starts; it is taken only unchanged")
