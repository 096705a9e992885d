"""An instance of Home Assistant: where it is, what we show it, and how it may fail us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import attrs

PORTS = {"http": 80, "https": 443}


class HomeAssistantFailed(Exception):
    """It was not reached, or did not answer: what became of a call is not known. One line, without the token."""


class TokenRefused(HomeAssistantFailed):
    """It does not know the token, or not any more."""

    def __init__(self) -> None:
        super().__init__(
            "it refuses the token: make a long-lived access token in the profile of one of its users, "
            "and put it where `token` says"
        )


class Refused(Exception):
    """It was asked to call a service, and says that it did not do so.

    Args:
        code: of Home Assistant, such as `service_validation_error`; over REST, the status.
        message: its own words, which may hold anything.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@attrs.frozen(slots=True, kw_only=True)
class Instance:
    """An instance and how we connect to it. Shown, it is the beginning of its URL.

    Args:
        url: http or https, as a browser knows it; a path is put before the paths of its API.
        token: returns the long-lived access token; called in a thread before each connection and request, so that a
            new one is taken without a restart; it may raise TrioarmError, whose line is shown.
        ca_file: certificates in PEM format that sign its own; None for those that the system trusts.
    """

    url: str
    token: Callable[[], str] = attrs.field(repr=False)
    ca_file: Path | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        """Name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Of the URL, or the usual one."""
        parts = urlsplit(self.url)
        return parts.port or PORTS[parts.scheme]

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def path_of(self, api: str) -> str:
        """Return the path of a part of its API."""
        return f"{urlsplit(self.url).path.rstrip('/')}/api/{api}"

    def url_of(self, api: str) -> str:
        """Return the URL of a part of its API."""
        return f"{self}{self.path_of(api)}"

    def __str__(self) -> str:
        """Return scheme, host and port."""
        return f"{urlsplit(self.url).scheme}://{self.authority}"


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """How long it may take for something.

    Args:
        answer_s: to be connected to, all addresses tried; to answer one thing asked of it; to take what is sent.
        quiet_s: without anything said before a sign of life is asked for.
        poll_s: between two looks over REST, for whoever waits for news.
        refused_s: before a refused token is shown again: Home Assistant can be told to ban who shows it too often.
    """

    answer_s: float = 10.0
    quiet_s: float = 30.0
    poll_s: float = 10.0
    refused_s: float = 300.0
