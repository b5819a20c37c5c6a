"""Every setting: name, kind, default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from deploy.settings import types
from deploy.settings.types import Allowed, UpdateWindow

KNOWN_HOSTS = Path("certs/known_hosts")
CERT_PASS = "cert_pass"  # noqa: S105 -- the name of a credential
# Passwords that never leave the workstation go by their settings, unlike any credential.
CERT_PASS_OLD = "CERT_PASSWORD_OLD"  # noqa: S105
AUTHORITY_PASS = "AUTHORITY_PASSWORD"  # noqa: S105
AUTHORITY_PASS_OLD = "AUTHORITY_PASSWORD_OLD"  # noqa: S105


class Settings(BaseModel):
    """All settings of one app and its node; frozen and validated."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=str.upper, hide_input_in_errors=True
    )

    project: types.Label
    name: types.Label = "www"

    node_address: types.Address = ""
    node_port: Annotated[types.Port | None, Allowed("a port from 1 to 65535")] = None
    node_user: types.User = "core"
    node_hostname: types.HostName = "corefab"
    identity_file: Path | None = None
    known_hosts: Path = KNOWN_HOSTS
    public_address: types.Address = ""

    image: types.Image
    project_files: Path | None = None
    https_port: types.Port = 443
    http_port: types.OptionalPort = None
    container_https_port: types.Port = 8443
    container_http_port: types.Port = 8080
    container_user: Literal["app", "image"] = "app"
    notify: Literal["true", "false"] = "false"
    watchdog_seconds: types.OptionalSeconds = 0
    health_path: types.UrlPath = "/"
    health_timeout_seconds: types.Seconds = 60
    switch: Literal["slots", "restart", "socket"] = "slots"
    settle_seconds: types.OptionalSeconds = 5
    before_switch: types.CommandWords = ()
    before_switch_seconds: types.Seconds = 300
    drain_seconds: types.OptionalSeconds = 30
    subnet4: types.Subnet4 = ""
    subnet6: types.Subnet6 = ""
    stop_seconds: types.Seconds = 10
    memory_limit: types.Size = "512M"
    cpu_limit: types.Percent = "100%"
    tasks_limit: types.Tasks = 512
    keep_releases: types.Releases = 5
    image_cache: Path = Path("~/.cache/corefab/images")
    image_cache_megabytes: types.Megabytes = 8000

    ssh_keys: types.Words = ("agent", "~/.ssh/*.pub")
    firewall_ports: types.FirewallPorts = ()
    update_strategy: Literal["immediate", "periodic", "off"] = "periodic"
    update_window: types.UpdateWindowOf = UpdateWindow(("Sat", "Sun"), "03:00", 120)
    time_zone: types.TimeZone = "UTC"
    journal_limit: types.Size = "500M"
    swap_megabytes: types.Megabytes = 2048

    data_partition: types.PartitionName = ""
    data_disk: types.DevicePath = "/dev/disk/by-id/coreos-boot-disk"
    data_megabytes: types.Megabytes = 0
    root_megabytes: types.RootMegabytes = 16384

    cert_names: types.SubjectNames
    cert_password: SecretStr | None = None
    cert_password_command: str = ""
    cert_password_old: SecretStr | None = None
    cert_password_old_command: str = ""
    authority_password: SecretStr | None = None
    authority_password_command: str = ""
    authority_password_old: SecretStr | None = None
    authority_password_old_command: str = ""
    cert_warn_days: types.Days = 30
    cert_from: Literal["own", "acme", "files"] = "own"
    cert_authority_bounds: types.Words = ()
    cert_key: Literal["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"] = "ecdsa-p256"
    reload_signal: Literal["HUP", "USR1", "USR2", ""] = ""

    acme_directory: types.DirectoryUrl = "https://acme-v02.api.letsencrypt.org/directory"
    acme_email: str = ""
    acme_terms_agreed: Literal["true", "false"] = "false"
    acme_challenge: Literal["http-01", "dns-01"] = "http-01"
    acme_dns_command: str = ""
    acme_root: Path | None = None
    acme_key_id: str = ""
    acme_hmac_key: SecretStr | None = None

    smtp_host: types.Address = ""
    smtp_port: types.Port = 587
    smtp_user: str = ""
    smtp_password: SecretStr | None = None
    smtp_password_command: str = ""

    environment: dict[str, str] = Field(default_factory=dict, alias="ENV_*")
    secrets: dict[str, SecretStr] = Field(default_factory=dict, alias="SECRET_*")
    secret_commands: dict[str, str] = Field(default_factory=dict, alias="SECRET_*_COMMAND")

    @property
    def app(self) -> str:
        """The app's name: the stem of its units, paths, credentials and networks."""
        return f"{self.project}-{self.name}"

    @property
    def sources(self) -> tuple["Source", ...]:
        """The source of each of the app's credentials, sorted by name."""
        found = [Source(CERT_PASS, "CERT_PASSWORD", self.cert_password, self.cert_password_command)]
        if self.smtp_host:
            value, command = self.smtp_password, self.smtp_password_command
            found.append(Source("smtp_pass", "SMTP_PASSWORD", value, command))
        for name in self.secrets.keys() | self.secret_commands.keys():
            key, command = f"SECRET_{name.upper()}", self.secret_commands.get(name, "")
            found.append(Source(name, key, self.secrets.get(name), command))
        return tuple(sorted(found, key=lambda source: source.credential))

    @property
    def all_sources(self) -> tuple["Source", ...]:
        """The sources of credentials, and of passwords that never leave the workstation."""
        own = ((key, key.lower()) for key in (AUTHORITY_PASS, AUTHORITY_PASS_OLD, CERT_PASS_OLD))
        found = (
            Source(key, key, getattr(self, field), getattr(self, f"{field}_command"))
            for key, field in own
        )
        return (*self.sources, *found)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a credential comes from: a value, else a command's output, else a prompt."""

    credential: str
    key: str
    value: SecretStr | None
    command: str


_GROUPS = {"environment", "secrets", "secret_commands"}
KEYS = tuple(name.upper() for name in Settings.model_fields if name not in _GROUPS)


def allowed(key: str) -> str:
    """Say which values a setting allows."""
    field = Settings.model_fields[key.lower()]
    if get_origin(field.annotation) is Literal:
        *some, last = (word or "nothing for none" for word in get_args(field.annotation))
        return f"{', '.join(some)} or {last}"
    texts = [mark.text for mark in field.metadata if isinstance(mark, Allowed)]
    return texts[0] if texts else "text"
