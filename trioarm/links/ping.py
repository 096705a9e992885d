"""A ping: one URL fetched over HTTP, where only the status counts.

It never takes longer than its deadline, never reads a body, follows redirects to web servers alone, and shows what it
authenticates with to nobody but the server it was given for.
"""

from __future__ import annotations

import base64
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

import trio

DEADLINE_S: Final = 10.0  # for the whole of a ping: whoever waits for signs of life waits for minutes
THREADS: Final = (
    2  # a name server that never answers keeps a thread; the next ping has another, and then there are none
)
AGENT: Final = "trioarm"
WEB: Final = ("http", "https")
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX: Final = 3  # in a row; a loop has no end


class PingFailed(Exception):
    """The URL was not fetched; the reason, without the URL."""


class Pinger:
    """Fetches URLs, in threads of its own.

    Args:
        deadline_s: for the whole of a ping.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._threads = trio.CapacityLimiter(THREADS)

    async def ping(self, url: str) -> int:
        """Fetch a URL and return the status of the answer, which is 200 to 299.

        Args:
            url: http or https; user and password in it are sent as basic authentication.

        Raises:
            PingFailed: no answer in time, or another one.

        Cancellation: at once; a thread that still waits for the network is left behind until its socket gives up.
        """
        deadline_s = self._deadline_s
        with trio.move_on_after(deadline_s):
            return await trio.to_thread.run_sync(_fetch, url, deadline_s, abandon_on_cancel=True, limiter=self._threads)
        raise PingFailed(_silent(deadline_s))


def _fetch(url: str, deadline_s: float) -> int:
    request = _request(url)
    try:
        for _ in range(REDIRECTS_MAX + 1):
            status, where = _answer(request, deadline_s)
            if status not in REDIRECTS or where is None:
                break
            request = Request(_redirected(request.full_url, where), headers={"User-Agent": AGENT})
        else:
            raise PingFailed(f"it redirects more than {REDIRECTS_MAX} times")
    except URLError as error:
        raise PingFailed(_reason(error.reason, deadline_s)) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a new address that is none
        raise PingFailed(_reason(error, deadline_s)) from None
    if not 200 <= status < 300:
        raise PingFailed(f"the answer is {status}")
    return status


def _answer(request: Request, deadline_s: float) -> tuple[int, str | None]:
    """Return the status of an answer, and where it redirects to; its body is never read."""
    with _make_opener().open(request, timeout=deadline_s) as answer:
        if not isinstance(answer, HTTPResponse):
            raise AssertionError("only web addresses are opened")
        return answer.status, answer.headers.get("Location")


def _redirected(url: str, where: str) -> str:
    """Return the address a redirect means: of a web server, and not of a plain one where the first was encrypted."""
    target = urljoin(url, where)
    before, scheme = urlsplit(url).scheme, urlsplit(target).scheme
    if scheme not in WEB or (before == "https" and scheme != "https"):
        raise PingFailed(f"it redirects to {scheme}, which is not followed")
    return target


def _make_opener() -> OpenerDirector:
    """Return what opens web addresses and nothing else, and hands out every answer as it is."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> Request:
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    request = Request(urlunsplit(parts._replace(netloc=host)), headers={"User-Agent": AGENT})
    if at:
        encoded = base64.b64encode(unquote(userinfo).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _silent(deadline_s: float) -> str:
    return f"no answer within {deadline_s:g} s"


def _reason(error: object, deadline_s: float) -> str:
    if isinstance(error, TimeoutError):
        return _silent(deadline_s)
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__
