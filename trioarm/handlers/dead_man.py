"""The dead man's switch: signs of life for somebody elsewhere, who raises the alarm when they stop (A5.4)."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from trioarm.core.jsonable import Json
from trioarm.engine.health import ComponentHealth, Level
from trioarm.links.ping import Pinger, PingFailed

_log = logging.getLogger("trioarm.dead_man")


class DeadMan:
    """Fetches a URL, and remembers how that went. What goes wrong is said, and stops nothing.

    Args:
        url: to be fetched; None for nobody to be told. It may be replaced while the node runs.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url
        self._failed: tuple[str, str] | None = None  # what was fetched in vain last, and why
        self._pinger = Pinger()

    async def ping(self) -> Json:
        """Give one sign of life and return what came of it.

        A failure is logged when it is another one than before; one that lasts stays visible in the health report.
        """
        url = self.url
        if url is None:
            return "not sent: there is no dead_man_url"
        try:
            status = await self._pinger.ping(url)
        except PingFailed as error:
            if self._failed != (url, str(error)):
                _log.warning("no sign of life reaches %s: %s", _host(url), error)
            self._failed = (url, str(error))
            return f"failed: {error}"
        if self._failed is not None:
            _log.info("signs of life reach %s again", _host(url))
        self._failed = None
        return f"answered with {status}"

    def health(self) -> ComponentHealth | None:
        """Return whether signs of life arrive; None when nobody waits for them."""
        if self.url is None:
            return None
        if self._failed is None or self._failed[0] != self.url:
            return ComponentHealth("dead man", Level.HEALTHY)
        reason = f"no sign of life reaches {_host(self.url)}: {self._failed[1]}"
        return ComponentHealth("dead man", Level.DEGRADED, (reason,))


def _host(url: str) -> str:
    """Return the host of a URL: its path may be all that is secret about it."""
    return urlsplit(url).hostname or "nowhere"
