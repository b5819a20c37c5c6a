"""Every setting: name, kind, default."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from deploy.settings import types
from deploy.settings.types import Allowed, ContainerPort, UpdateWindow

KNOWN_HOSTS = Path("certs/known_hosts")
# The public half of the key that signs images.
PUBLISH_KEY = Path("certs/publish.pub")
# The certificates to which nodes encrypt what they tell their operators.
OPERATOR = Path("certs/operator.crt")
CERT_PASS = "cert_pass"  # noqa: S105 -- the name of a credential
# The key of an external ACME account, which the proxy registers with.
ACME_HMAC = "acme_hmac_key"
# Passwords that never leave the workstation go by their settings, unlike any credential.
CERT_PASS_OLD = "CERT_PASSWORD_OLD"  # noqa: S105
AUTHORITY_PASS = "AUTHORITY_PASSWORD"  # noqa: S105
AUTHORITY_PASS_OLD = "AUTHORITY_PASSWORD_OLD"  # noqa: S105
PUBLISH_LOGIN = "PUBLISH_LOGIN"
PULL_LOGIN = "pull_login"
# What the machine itself sends with its journal and metrics.
OTLP_HEADERS = "otlp_headers"
# What reaches the receiver of notifications. A node that notifies by itself has them too.
NOTIFY_URL, NOTIFY_KEY, NOTIFY_TOKEN = "notify_url", "notify_key", "notify_token"
NOTIFY_CREDENTIALS = (NOTIFY_URL, NOTIFY_KEY, NOTIFY_TOKEN)


# The proxy of a node is an app of this name; a node has one for all its apps.
PROXY_APP = "corefab-proxy"
# Caddy 2.11.4-alpine, all platforms.
PROXY_IMAGE = (
    "docker.io/library/caddy"
    "@sha256:5f5c8640aae01df9654968d946d8f1a56c497f1dd5c5cda4cf95ab7c14d58648"
)
# The image that `fab proxy-build` makes of Debian packages.
PROXY_BUILT = "localhost/corefab-proxy:latest"
# As NODE_ADDRESS: the rehearsal node named after the project.
REHEARSAL = "rehearsal"


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

    tls: Literal["app", "proxy", "none"] = "proxy"
    image: types.Image
    project_files: Path | None = None
    https_port: types.Port = 443
    http_port: types.OptionalPort = None
    container_https_port: types.Port = 8443
    container_http_port: types.Port = 8080
    container_port: types.UpstreamPort = ContainerPort(8080)
    container_user: Literal["app", "image"] = "app"
    container_command: types.CommandWords = ()
    container_capabilities: types.Capabilities = ()
    container_tmpfs: types.TmpfsFolders = ()
    read_only: Literal["true", "false"] = "true"
    volumes: types.Volumes = ()
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
    receipt_key: Path | None = None
    receipt_signers: Path = Path("certs/allowed_signers")
    image_cache: Path = Path("~/.cache/corefab/images")
    image_cache_megabytes: types.Megabytes = 8000

    ssh: Literal["on", "off"] = "on"
    ssh_keys: types.Words = ("agent", "~/.ssh/*.pub")
    console_password_hash: types.PasswordHash = ""
    firewall_ports: types.FirewallPorts = ()
    update_strategy: Literal["immediate", "periodic", "off"] = "periodic"
    update_window: types.UpdateWindowOf = UpdateWindow(("Sat", "Sun"), "03:00", 120)
    update_health_seconds: types.OptionalSeconds = 0
    time_zone: types.TimeZone = "UTC"
    journal_limit: types.Size = "500M"
    swap_megabytes: types.Megabytes = 2048
    metrics: Literal["on", "off"] = "off"
    metrics_path: types.ScrapePath = ""
    metrics_from: types.Networks = ()
    metrics_password_hash: types.BcryptHash = ""
    otlp_endpoint: types.OtlpEndpoint = ""
    otlp_send: types.OtlpSignals = ("logs", "metrics")
    otlp_headers: SecretStr | None = None
    otlp_headers_command: str = ""
    otlp_root: Path | None = None

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
    cert_from: Literal["node", "own", "acme", "files"] = "own"
    cert_authority_bounds: types.Words = ()
    cert_key: Literal["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"] = "ecdsa-p256"
    reload_signal: Literal["HUP", "USR1", "USR2", ""] = ""

    acme_directory: types.DirectoryUrl = "https://acme-v02.api.letsencrypt.org/directory"
    acme_email: types.Mail = ""
    acme_terms_agreed: Literal["true", "false"] = "false"
    acme_challenge: Literal["http-01", "dns-01"] = "http-01"
    acme_dns_command: str = ""
    acme_root: Path | None = None
    acme_key_id: str = ""
    acme_hmac_key: SecretStr | None = None

    proxy_image: types.Image = PROXY_IMAGE
    redirect_names: types.HostNames = ()
    trusted_proxies: types.Networks = ()
    access_log: Literal["true", "false"] = "true"

    smtp_host: types.Address = ""
    smtp_port: types.Port = 587
    smtp_user: str = ""
    smtp_password: SecretStr | None = None
    smtp_password_command: str = ""

    notify_url: SecretStr | None = None
    notify_url_command: str = ""
    notify_format: Literal["json", "slack", "ntfy", "matrix", "discord"] = "json"
    notify_key: SecretStr | None = None
    notify_key_command: str = ""
    notify_token: SecretStr | None = None
    notify_token_command: str = ""
    notify_mail: types.Mails = ()

    pull: types.RegistryTag = ""
    pull_every: types.Calendar = "hourly"
    pull_spread: types.Span = 600
    pull_mode: Literal["auto", "notify", "off"] = "auto"
    pull_delay: types.Span = 0
    pull_login: SecretStr | None = None
    pull_login_command: str = ""
    pull_keys: types.Words = (str(PUBLISH_KEY),)
    pull_root: Path | None = None
    pull_http: Literal["true", "false"] = "false"
    pull_node: types.Label = ""
    publish_login: SecretStr | None = None
    publish_login_command: str = ""
    publish_format: Literal["gzip", "zstd", "zstd:chunked"] = "zstd"

    environment: dict[str, str] = Field(default_factory=dict, alias="ENV_*")
    secrets: dict[str, SecretStr] = Field(default_factory=dict, alias="SECRET_*")
    secret_commands: dict[str, str] = Field(default_factory=dict, alias="SECRET_*_COMMAND")

    @model_validator(mode="before")
    @classmethod
    def _fit_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Choose the defaults that depend on other settings.

        The proxy gets certificates itself, but on a rehearsal node, which no authority can reach.
        """
        rehearsed = given.get("NODE_ADDRESS") == REHEARSAL
        usual = {}
        if given.get("TLS", "proxy") == "proxy" and not rehearsed:
            usual["CERT_FROM"] = "node"
        if rehearsed:
            usual["PROXY_IMAGE"] = PROXY_BUILT
        return usual | given

    @property
    def app(self) -> str:
        """The app's name: the stem of its units, paths, credentials and networks."""
        return f"{self.project}-{self.name}"

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names that a certificate is needed for: those that serve, and those that redirect."""
        return (*self.cert_names, *self.redirect_names)

    @property
    def is_proxy(self) -> bool:
        """Whether the app is the node's proxy itself."""
        return self.app == PROXY_APP

    @property
    def follows(self) -> bool:
        """Whether the node follows a tag of a registry by itself."""
        return bool(self.pull) and self.pull_mode != "off"

    @property
    def follows_bundle(self) -> bool:
        """Whether the node takes bundles from the registry of PULL."""
        return bool(self.pull and self.pull_node) and not self.is_proxy

    @property
    def proxy_pull(self) -> str:
        """What a node pulls its proxy from; empty where `fab deploy` has to send the proxy.

        It is an image by its digest, or a tag in PULL's registry, which a key of PULL_KEYS signed.
        """
        registry, _, rest = self.proxy_image.partition("/")
        if not self.follows or not rest or not re.search(r"[.:]", registry):
            return ""
        if "@" in self.proxy_image:
            usable = bool(re.search(r"@sha256:[0-9a-f]{64}$", self.proxy_image))
        else:
            usable = registry == self.pull.partition("/")[0]
        return self.proxy_image if usable else ""

    @property
    def needs_deploy(self) -> tuple[str, ...]:
        """The settings because of which a machine cannot be born with the app."""
        found = [
            one.key
            for one in self.sources
            # An app starts without what its node notifies by.
            if one.credential not in NOTIFY_CREDENTIALS and not self._comes_by_bundle(one)
        ]
        if self.project_files:
            found.append("PROJECT_FILES")
        if self.tls == "proxy" and not self.proxy_pull:
            found.append("PROXY_IMAGE")
        return tuple(found)

    def _comes_by_bundle(self, source: "Source") -> bool:
        """Tell whether a credential can come in the node's bundle: the app alone needs it."""
        needed_before = {CERT_PASS, ACME_HMAC, PULL_LOGIN}
        return self.follows_bundle and source.credential not in needed_before

    @property
    def bundled(self) -> tuple[str, ...]:
        """The names of the credentials that come in the node's bundle."""
        return tuple(one.credential for one in self.sources if self._comes_by_bundle(one))

    @property
    def born(self) -> bool:
        """Whether a machine can be born with the app: it takes its first release by itself."""
        return self.follows and not self.needs_deploy

    @property
    def has_key(self) -> bool:
        """Whether the app has a TLS key of ours; the proxy may get its own, or there is no TLS."""
        return self.tls == "app" or (self.tls == "proxy" and self.cert_from != "node")

    @property
    def binds_account(self) -> bool:
        """Whether the proxy registers with an external account at the ACME authority."""
        return self.tls == "proxy" and self.cert_from == "node" and bool(self.acme_key_id)

    @property
    def node_notifies(self) -> bool:
        """Whether the node sends notifications of what it does by itself."""
        return self.follows and not self.is_proxy and NOTIFY_URL in self.notify_sources

    @property
    def notify_sources(self) -> dict[str, "Source"]:
        """The sources of what reaches the receiver of notifications, of those that are set."""
        found = {}
        for name in NOTIFY_CREDENTIALS:
            value, command = getattr(self, name), getattr(self, f"{name}_command")
            if value or command:
                found[name] = Source(name, name.upper(), value, command)
        return found

    @property
    def sources(self) -> tuple["Source", ...]:
        """The source of each of the app's credentials, sorted by name."""
        found: list[Source] = []
        if self.has_key:
            value, command = self.cert_password, self.cert_password_command
            found.append(Source(CERT_PASS, "CERT_PASSWORD", value, command))
        if self.binds_account:
            found.append(Source(ACME_HMAC, "ACME_HMAC_KEY", self.acme_hmac_key, ""))
        if self.smtp_host:
            value, command = self.smtp_password, self.smtp_password_command
            found.append(Source("smtp_pass", "SMTP_PASSWORD", value, command))
        if self.follows and (self.pull_login or self.pull_login_command):
            value, command = self.pull_login, self.pull_login_command
            found.append(Source(PULL_LOGIN, "PULL_LOGIN", value, command))
        if self.otlp_endpoint and (self.otlp_headers or self.otlp_headers_command):
            value, command = self.otlp_headers, self.otlp_headers_command
            found.append(Source(OTLP_HEADERS, "OTLP_HEADERS", value, command))
        if self.node_notifies:
            found += self.notify_sources.values()
        for name in self.secrets.keys() | self.secret_commands.keys():
            key, command = f"SECRET_{name.upper()}", self.secret_commands.get(name, "")
            found.append(Source(name, key, self.secrets.get(name), command))
        return tuple(sorted(found, key=lambda source: source.credential))

    @property
    def all_sources(self) -> tuple["Source", ...]:
        """The sources of credentials, and of passwords that do not go to the node."""
        here = (AUTHORITY_PASS, AUTHORITY_PASS_OLD, CERT_PASS_OLD, PUBLISH_LOGIN)
        own = ((key, key.lower()) for key in here)
        found = (
            Source(key, key, getattr(self, field), getattr(self, f"{field}_command"))
            for key, field in own
        )
        cert = Source(CERT_PASS, "CERT_PASSWORD", self.cert_password, self.cert_password_command)
        notify = () if self.node_notifies else self.notify_sources.values()
        return (*self.sources, *(() if self.has_key else (cert,)), *notify, *found)


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
