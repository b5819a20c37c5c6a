"""Verb: write the user data and the Terraform file that start the machine at a provider."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from butane.render import render_text
from deploy.console import output
from deploy.errors import DeployError
from deploy.machine.cloud.plan.cloud_values import VOLUME, cloud_values, user_data_value
from deploy.machine.cloud.plan.user_data import (
    ASSUMED,
    LIMITS,
    packed,
    pointer,
    secrets_in,
    split_disks,
    without_apps,
)
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.beside import apps_beside
from deploy.spec.spec import prepared_spec
from deploy.workstation.files import write_atomically

_PUBLIC = 0o644
_TEMPLATES = Path(__file__).parent / "templates"


def cloud(project: Project, provider: str, *, domain: str, url: str) -> Path:
    """Write build/cloud/<provider>/: user-data.ign, main.tf, volume.tf; return the folder.

    Raises:
        DeployError: for an unknown provider, a spec that is too large or holds a secret, or a file
            of an older version.
    """
    if provider not in LIMITS:
        known = ", ".join(LIMITS)
        raise DeployError(f"unknown provider {provider!r}", f"known providers: {known}")
    config = prepared_spec(project)
    apps = (project.settings, *(one.settings for one in apps_beside(project)))
    for one in apps:
        _refuse_secrets(one, config)
    texts = _terraform(apps, provider, domain)
    target = project.build / "cloud" / provider
    _refuse_old_file(target / "main.tf.json")
    user_data, is_whole = _user_data(config, provider, url, apps)
    write_atomically(target / "user-data.ign", user_data, _PUBLIC)
    for name, text in texts.items():
        write_atomically(target / name, text.encode(), _PUBLIC)
    if url:
        write_atomically(target / "machine.ign", split_disks(config)[0], _PUBLIC)
        output.say(f"upload machine.ign to {url} before the machine starts; its hash is checked")
    shown = target.relative_to(project.folder)
    short = "" if url or user_data is config else f", compressed from {len(config)}"
    limit = f"{provider} takes {LIMITS[provider]}"
    output.good(f"{shown}/user-data.ign: {len(user_data)} bytes{short} ({limit})")
    output.good(f"{shown}/main.tf: machine, address, DNS")
    if "volume.tf" in texts:
        output.good(f"{shown}/volume.tf: the machine's data, which outlives it")
    elif project.settings.data_partition:
        output.warn(f"the data is lost with the machine: for a volume, set DATA_DISK={VOLUME}")
    if not is_whole:
        output.say(
            "it is without the files of the apps: the machine takes these from its bundle at its "
            "first start, so publish that before: `fab publish --node`"
        )
    _say_next(project.settings, shown)
    return target


def _say_next(settings: Settings, folder: Path) -> None:
    output.say(f"next: cd {folder} && terraform init && terraform apply")
    if settings.ssh == "off":
        output.say("then the machine takes its apps from their registries; nothing else is to do")
        return
    output.say("then: fab trust (the fingerprint is on the provider's console)")
    output.say("then, with NODE_ADDRESS the address it printed: fab deploy --first")


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


def _terraform(apps: Sequence[Settings], provider: str, domain: str) -> dict[str, str]:
    """Make Terraform's files, with a record for each name of these apps: name -> text."""
    settings = apps[0]
    names = tuple(name for one in apps if not one.is_proxy for name in one.all_names)
    volume = bool(settings.data_partition) and settings.data_disk == VOLUME
    hostname = settings.node_hostname
    values = {
        **cloud_values(hostname, domain, names),
        "USER_DATA": user_data_value(provider, hostname, volume=volume),
    }
    if domain and not values["RECORD"]:
        raise DeployError(
            f"none of CERT_NAMES ({', '.join(names)}) is in the zone {domain}",
            "give their zone with --domain",
        )
    templates = {"main.tf": f"{provider}.tf"}
    if volume:
        templates["volume.tf"] = f"{provider}-volume.tf"
    return {
        name: render_text((_TEMPLATES / one).read_text(encoding="utf-8"), values, source=one)
        for name, one in templates.items()
    }


def _refuse_old_file(path: Path) -> None:
    """Refuse to write beside the main.tf.json of an older version: Terraform would load both."""
    if path.exists():
        raise DeployError(
            f"{path} was written by an older corefab; Terraform would load it beside main.tf and "
            "find every resource twice",
            f"rm {path}, and run this again; if it was applied, CHANGELOG.md says how its DNS "
            "records are kept",
        )


def _user_data(
    config: bytes, provider: str, url: str, apps: Sequence[Settings]
) -> tuple[bytes, bool]:
    """Make user data, and tell whether it is the whole spec."""
    if url:
        _check_url(url)
        return pointer(config, url), True
    if len(config) <= LIMITS[provider]:
        return config, True
    short = packed(config)
    if len(short) <= LIMITS[provider]:
        return short, True
    if apps[0].follows_bundle:
        first = packed(without_apps(config, [one.app for one in apps]))
        if len(first) <= LIMITS[provider]:
            return first, False
    assumed = " (the provider publishes no limit)" if provider in ASSUMED else ""
    raise DeployError(
        f"the machine spec has {len(config)} bytes, {len(short)} compressed; {provider} takes "
        f"{LIMITS[provider]}{assumed}",
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
