"""The web: one address fetched over HTTP, in a thread that nobody waits for longer than the deadline.

A body is read up to a limit, redirects are followed to web servers alone and not for ever, and what an address
authenticates with is shown to nobody but the server it was given for: errors do not name the address.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

import attrs
import trio

THREADS: Final = (
    2  # a name server that never answers keeps a thread; the next request has another, and then there are none
)
AGENT: Final = "trioarm"
WEB: Final = ("http", "https")
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
CHUNK: Final = 64 * 1024  # bytes read at once; between two of them the deadline is looked at


class WebFailed(Exception):
    """The address was not fetched; the reason, without the address."""


@attrs.frozen(slots=True)
class Answer:
    """What a server answered.

    Args:
        status: 100 to 599.
        body: empty where none was asked for.
        headers: names in small letters; of several with one name the last.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


@attrs.frozen(slots=True, kw_only=True)
class Limits:
    """What one request may take.

    Args:
        deadline_s: for all of it, redirects and body included.
        redirects: how many are followed, one after the other.
        size: bytes of a body; None if it is not to be read.
    """

    deadline_s: float
    redirects: int
    size: int | None = None


class Web:
    """Fetches addresses, in threads of its own.

    Args:
        limits: of every request.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._threads = trio.CapacityLimiter(THREADS)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Fetch an address and return the answer, whatever its status; a redirect only if it leads nowhere.

        Args:
            url: http or https; user and password in it are sent as basic authentication.
            headers: sent beside; not to where the address redirects to.

        Raises:
            WebFailed: no answer in time, too many redirects, or too large a body.

        Cancellation: at once; a thread that still waits for the network is left behind until its socket gives up.
        """
        fetch = partial(_fetch, url, headers or {}, self._limits)
        with trio.move_on_after(self._limits.deadline_s):
            return await trio.to_thread.run_sync(fetch, abandon_on_cancel=True, limiter=self._threads)
        raise WebFailed(_silent(self._limits))


def _fetch(url: str, headers: Mapping[str, str], limits: Limits) -> Answer:
    end = time.monotonic() + limits.deadline_s
    request = _request(url, headers)
    try:
        for _ in range(limits.redirects + 1):
            answer = _answer(request, limits, end)
            where = answer.headers.get("location")
            if answer.status not in REDIRECTS or where is None:
                return answer
            request = Request(_redirected(request.full_url, where), headers={"User-Agent": AGENT})
    except URLError as error:
        raise WebFailed(_reason(error.reason, limits)) from None
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a new address that is none
        raise WebFailed(_reason(error, limits)) from None
    raise WebFailed(f"it redirects more than {limits.redirects} times")


def _answer(request: Request, limits: Limits, end: float) -> Answer:
    with _make_opener().open(request, timeout=limits.deadline_s) as answer:
        if not isinstance(answer, HTTPResponse):
            raise AssertionError("only web addresses are opened")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        is_wanted = limits.size is not None and answer.status not in REDIRECTS
        return Answer(answer.status, _body(answer, limits, end) if is_wanted else b"", headers)


def _body(answer: HTTPResponse, limits: Limits, end: float) -> bytes:
    size, parts, most = 0, list[bytes](), limits.size or 0
    while True:
        if (answer.length or 0) > most - size:
            raise WebFailed(_too_large(most))
        part = answer.read1(CHUNK)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > most:
            raise WebFailed(_too_large(most))
        if time.monotonic() > end:
            raise WebFailed(_silent(limits))
    if answer.length:
        raise WebFailed(f"the answer is cut off: {answer.length} bytes are missing")
    return b"".join(parts)


def _redirected(url: str, where: str) -> str:
    """Return the address a redirect means: of a web server, and not of a plain one where the first was encrypted."""
    target = urljoin(url, where)
    before, scheme = urlsplit(url).scheme, urlsplit(target).scheme
    if scheme not in WEB or (before == "https" and scheme != "https"):
        raise WebFailed(f"it redirects to {scheme}, which is not followed")
    return target


def _make_opener() -> OpenerDirector:
    """Return what opens web addresses and nothing else, and hands out every answer as it is."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    return opener


def _request(url: str, headers: Mapping[str, str]) -> Request:
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    request = Request(urlunsplit(parts._replace(netloc=host)), headers={"User-Agent": AGENT})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    if at:
        encoded = base64.b64encode(unquote(userinfo).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _too_large(most: int) -> str:
    return f"the answer has more than {most} bytes"


def _silent(limits: Limits) -> str:
    return f"no answer within {limits.deadline_s:g} s"


def _reason(error: object, limits: Limits) -> str:
    if isinstance(error, TimeoutError):
        return _silent(limits)
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__
