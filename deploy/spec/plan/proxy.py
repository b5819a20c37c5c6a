"""The settings of a node's proxy, which is an app like others, from those of an app behind it."""

from deploy.settings.model import PROXY_APP, Settings
from deploy.spec.plan.route import HEALTH_PATH

# What the proxy has in common with the apps behind it: how its node is reached and what is kept.
_SHARED = (
    "node_address", "node_port", "node_user", "identity_file", "known_hosts", "public_address",
    "ssh", "image_cache", "image_cache_megabytes", "keep_releases", "drain_seconds",
    "health_timeout_seconds", "receipt_key", "receipt_signers",
)  # fmt: skip
_OF_THE_UPDATER = ("pull_every", "pull_spread")
# What holds for the registry of PULL and may not for another one.
_OF_THE_REGISTRY = ("pull_login", "pull_login_command", "pull_keys", "pull_root", "pull_http")


def proxy_settings(given: Settings) -> Settings:
    """Make the settings of the proxy of an app's node."""
    part, _, name = PROXY_APP.partition("-")
    own = Settings.model_validate(
        {
            "PROJECT": part,
            "NAME": name,
            "IMAGE": given.proxy_image,
            "TLS": "none",
            "HTTP_PORT": 80,
            "CONTAINER_PORT": "80",
            "NOTIFY": "true",
            "HEALTH_PATH": HEALTH_PATH,
            "CERT_NAMES": PROXY_APP,
            # It serves every app of the node: as much as there is.
            "CPU_LIMIT": "10000%",
            # With Go's usual setting a heap as small as Caddy's is collected several times a second
            # under load. This costs memory, below MEMORY_LIMIT.
            "ENV_*": {"GOGC": "400", "GOMEMLIMIT": "384MiB"},
        }
    )
    shared = {name: getattr(given, name) for name in _SHARED}
    return own.model_copy(update={**shared, **_updater(given)})


def _updater(given: Settings) -> dict[str, object]:
    """Make what the proxy's updater is told: it keeps to a digest, or follows a signed tag."""
    image = given.proxy_pull
    if not image:
        return {}
    names: tuple[str, ...] = _OF_THE_UPDATER
    if image.partition("/")[0] == given.pull.partition("/")[0]:
        names += _OF_THE_REGISTRY
    if "@" not in image:
        names += ("pull_mode", "pull_delay")
    return {"pull": image, **{name: getattr(given, name) for name in names}}
