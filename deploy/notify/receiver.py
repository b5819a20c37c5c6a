"""Send a notice to a receiver: an address, or a mailbox."""

import re
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from urllib.parse import urlsplit

from deploy.errors import DeployError
from deploy.notify.plan.notice import Notice
from deploy.notify.plan.render import render
from deploy.notify.plan.signature import headers
from deploy.notify.post import post
from deploy.settings.conflicts import is_receiver
from deploy.settings.model import NOTIFY_KEY, NOTIFY_TOKEN, NOTIFY_URL, Settings
from deploy.workstation.sources import fetch

# A command that prints a secret may want to ask its operator something, and a deploy cannot wait.
_FETCH_SECONDS = 10.0
_HINT = (
    "are NOTIFY_URL, NOTIFY_FORMAT and NOTIFY_TOKEN right, and is the receiver up? "
    "`fab notify-test` tries it"
)

_TOKEN = re.compile(r"[!-~]+")


class Receiver(ABC):
    """Who gets notices; `name` is no secret."""

    name: str

    @abstractmethod
    def send(self, notice: Notice) -> str:
        """Send a notice; return who took it.

        Raises:
            RefusedError: when this notice is refused, and another may not be.
            DeployError: when none can be sent.
        """


class Address(Receiver):
    """The receiver at NOTIFY_URL."""

    name = NOTIFY_URL

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._values: dict[str, str] = {}

    def send(self, notice: Notice) -> str:
        """Send a notice; return the host that took it."""
        url, key = self._value(NOTIFY_URL), self._value(NOTIFY_KEY)
        if not is_receiver(url):
            raise DeployError(
                "NOTIFY_URL is no address such as https://hooks.example.org/…",
                "`fab notify-test` tries it",
            )
        request = render(notice, self._settings.notify_format, url)
        signed = headers(key, notice.id, int(datetime.now(UTC).timestamp()), request.body)
        if token := self._value(NOTIFY_TOKEN):
            if not _TOKEN.fullmatch(token):
                raise DeployError(
                    "NOTIFY_TOKEN has spaces or characters that no token has", "copy it again"
                )
            signed["Authorization"] = f"Bearer {token}"
        post(request, signed, hint=_HINT)
        return urlsplit(url).hostname or "it"

    def _value(self, name: str) -> str:
        source = self._settings.notify_sources.get(name)
        if name not in self._values:
            self._values[name] = fetch(source, None, seconds=_FETCH_SECONDS) if source else ""
        return self._values[name]


class Mailbox(Receiver):
    """An address of NOTIFY_MAIL."""

    def __init__(self, settings: Settings, address: str) -> None:
        self._settings = settings
        self.name = address

    def send(self, notice: Notice) -> str:
        """Send a mail; return the address."""
        from deploy.notify.mail import send_mail  # noqa: PLC0415 -- only where one is sent

        settings, password = self._settings, ""
        if settings.smtp_user:
            source = next(one for one in settings.sources if one.key == "SMTP_PASSWORD")
            password = fetch(source, None, seconds=_FETCH_SECONDS)
        send_mail(notice, settings, password, to=self.name)
        return self.name


def receivers(settings: Settings) -> tuple[Receiver, ...]:
    """List the receivers that the settings name; of settings that were not read, none."""
    found: list[Receiver] = []
    if NOTIFY_URL in settings.notify_sources:
        found.append(Address(settings))
    found += (Mailbox(settings, one) for one in settings.notify_mail or ())
    return tuple(found)
