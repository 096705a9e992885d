"""A ping: one URL fetched over HTTP, where only the status counts.

It never takes longer than its deadline, never reads a body, follows redirects to web servers alone, and shows what it
authenticates with to nobody but the server it was given for.
"""

from __future__ import annotations

from typing import Final

from trioarm.links.web import Limits, Web, WebFailed

DEADLINE_S: Final = 10.0  # for the whole of a ping: whoever waits for signs of life waits for minutes
REDIRECTS_MAX: Final = 3  # in a row; a loop has no end


class PingFailed(Exception):
    """The URL was not fetched; the reason, without the URL."""


class Pinger:
    """Fetches URLs, in threads of its own.

    Args:
        deadline_s: for the whole of a ping.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._web = Web(Limits(deadline_s=deadline_s, redirects=REDIRECTS_MAX))

    async def ping(self, url: str) -> int:
        """Fetch a URL and return the status of the answer, which is 200 to 299.

        Args:
            url: http or https; user and password in it are sent as basic authentication.

        Raises:
            PingFailed: no answer in time, or another one.

        Cancellation: at once; a thread that still waits for the network is left behind until its socket gives up.
        """
        try:
            answer = await self._web.get(url)
        except WebFailed as error:
            raise PingFailed(str(error)) from None
        if not 200 <= answer.status < 300:
            raise PingFailed(f"the answer is {answer.status}")
        return answer.status
