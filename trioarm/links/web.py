"""The web: one address fetched, or told something, over HTTP, in a thread nobody waits for longer than the deadline.

A body is read up to a limit, redirects are followed to web servers alone and not for ever, and what an address
authenticates with is shown to nobody but the server it was given for: errors do not name the address. What is told is
told once: it follows no redirect, and is not sent any more once nobody waits for the answer.
"""

from __future__ import annotations

import base64
import math
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

import attrs
import trio

from trioarm.core.counting import counted

THREADS: Final = (
    2  # a name server that never answers keeps a thread; the next request has another, and then there are none
)
AGENT: Final = "trioarm"
WEB: Final = ("http", "https")
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
PASSING: Final = frozenset({408, 425, 429})  # the refusals that a later request may not meet
NAMED_MAX: Final = 100  # characters of a server that is named
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


class _Patience:
    """How long somebody waits for an answer: looked at in the thread, lost at any time."""

    def __init__(self, deadline_s: float) -> None:
        self._end = time.monotonic() + deadline_s
        self._line: socket.socket | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() > self._end

    def hold(self, line: socket.socket) -> None:
        """Let a line that stands now be cut when patience is lost.

        Raises:
            TimeoutError: it was lost meanwhile: names are looked up, and strangers met, for as long as it takes.
        """
        self._line = line
        if self.is_over:
            raise TimeoutError

    def lose(self) -> None:
        """Let it be over now; a thread that still listens hears the end."""
        self._end = -math.inf
        if self._line is not None:
            with suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # below TLS, which belongs to the thread


class _Connection(HTTPConnection):
    """A connection that stands for as long as somebody waits."""

    def __init__(self, host: str, *, patience: _Patience, **options: Any) -> None:
        super().__init__(host, **options)
        self._patience = patience

    def connect(self) -> None:
        super().connect()
        self._patience.hold(self.sock)


class _EncryptedConnection(_Connection, HTTPSConnection):
    """The same, over TLS."""


class _Handler(HTTPHandler):
    def __init__(self, patience: _Patience) -> None:
        super().__init__()
        self._patience = patience

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Connection, patience=self._patience), req)


class _EncryptedHandler(HTTPSHandler):
    def __init__(self, patience: _Patience, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._patience = patience
        self._tls = tls

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_EncryptedConnection, patience=self._patience, context=self._tls), req)


class Web:
    """Fetches addresses, in threads of its own.

    Args:
        limits: of every request.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._threads = trio.CapacityLimiter(THREADS)

    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> Answer:
        """Fetch an address and return the answer, whatever its status; a redirect only if it leads nowhere.

        Args:
            url: http or https; user and password in it are sent as basic authentication.
            headers: sent beside; not to where the address redirects to.
            tls: what the server's certificate is judged by; None for the system's trust.

        Raises:
            WebFailed: no answer in time, too many redirects, or too large a body.

        Cancellation: at once; a thread that still looks a name up is left behind until it has.
        """
        return await self._within(partial(_fetch, _request(url, headers or {}), self._limits, tls))

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> Answer:
        """Send something to an address, once, and return the answer, whatever its status: no redirect is followed.

        Args:
            url: http or https; user and password in it are sent as basic authentication.
            content: what is sent.
            headers: sent beside.
            tls: what the server's certificate is judged by; None for the system's trust.

        Returns:
            a body only where the status is no success, and of a large one the beginning: what was taken, was taken.

        Raises:
            WebFailed: no answer in time. It may have been received nevertheless.

        Cancellation: at once; what was not sent by then is not sent any more.
        """
        return await self._within(partial(_send, _request(url, headers or {}), content, self._limits, tls))

    async def _within(self, work: Callable[[_Patience], Answer]) -> Answer:
        patience = _Patience(self._limits.deadline_s)
        try:
            with trio.move_on_after(self._limits.deadline_s):
                return await trio.to_thread.run_sync(work, patience, abandon_on_cancel=True, limiter=self._threads)
        finally:
            patience.lose()
        raise WebFailed(_silent(self._limits))


def _fetch(request: Request, limits: Limits, tls: ssl.SSLContext | None, patience: _Patience) -> Answer:
    opener = _make_opener(patience, tls)
    try:
        for _ in range(limits.redirects + 1):
            answer = _answer(opener, request, limits, partial(_body, limits=limits, patience=patience))
            where = answer.headers.get("location")
            if answer.status not in REDIRECTS or where is None:
                return answer
            if not limits.redirects:
                raise WebFailed(redirection(request.full_url, where))
            request = Request(_redirected(request.full_url, where), headers={"User-Agent": AGENT})
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a new address that is none
        raise WebFailed(_reason(error, limits)) from None
    raise WebFailed(f"it redirects more than {limits.redirects} times")


def _send(request: Request, content: bytes, limits: Limits, tls: ssl.SSLContext | None, patience: _Patience) -> Answer:
    request.data = content
    opener = _make_opener(patience, tls)
    try:
        return _answer(opener, request, limits, partial(_complaint, limits=limits, patience=patience))
    except (OSError, HTTPException, ValueError) as error:
        raise WebFailed(_reason(error, limits)) from None


def _answer(opener: OpenerDirector, request: Request, limits: Limits, read: Callable[[HTTPResponse], bytes]) -> Answer:
    with opener.open(request, timeout=limits.deadline_s) as answer:
        if not isinstance(answer, HTTPResponse):
            raise AssertionError("only web addresses are opened")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        is_wanted = limits.size is not None and answer.status not in REDIRECTS
        return Answer(answer.status, read(answer) if is_wanted else b"", headers)


def _complaint(answer: HTTPResponse, limits: Limits, patience: _Patience) -> bytes:
    """Return how the body of an answer that is no success begins: what it refuses is refused, however that ends."""
    content, most = b"", limits.size or 0
    with suppress(ConnectionError):
        while answer.status >= 400 and len(content) < most and (part := answer.read1(min(CHUNK, most - len(content)))):
            content += part
            if patience.is_over:
                raise TimeoutError
    return content


def _body(answer: HTTPResponse, limits: Limits, patience: _Patience) -> bytes:
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
        if patience.is_over:
            raise WebFailed(_silent(limits))
    if answer.length:
        raise WebFailed(f"the answer is cut off: {counted(answer.length, 'byte is', 'bytes are')} missing")
    return b"".join(parts)


def redirection(url: str, where: str) -> str:
    """Say where a redirect leads that is not followed: to which server, since the rest of an address may be secret.

    Args:
        url: that was asked.
        where: what the answer says, in whole or as seen from there.
    """
    return f"it redirects to {_place(url, where)}, which is not followed"


def _place(url: str, where: str) -> str:
    try:
        target, before = urljoin(url, where), urlsplit(url)
        after = urlsplit(target)
        named = after.hostname and f"{after.scheme}://{after.netloc.rpartition('@')[2]}"
    except ValueError:
        return "what is no address"
    if after.scheme not in WEB or not named:
        return "what is no address of a web server"
    if (after.scheme, after.netloc) != (before.scheme, before.netloc):
        return named if len(named) <= NAMED_MAX and named.isprintable() else "another server"
    if target == f"{url}/":
        return "the same address with a slash at its end"
    return "itself" if target == url else "another path of the same server"


def _redirected(url: str, where: str) -> str:
    """Return the address a redirect means: of a web server, and not of a plain one where the first was encrypted."""
    target = urljoin(url, where)
    before, scheme = urlsplit(url).scheme, urlsplit(target).scheme
    if scheme not in WEB or (before == "https" and scheme != "https"):
        raise WebFailed(f"it redirects to {scheme}, which is not followed")
    return target


def _make_opener(patience: _Patience, tls: ssl.SSLContext | None) -> OpenerDirector:
    """Return what opens web addresses and nothing else, and hands out every answer as it is."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), _Handler(patience), _EncryptedHandler(patience, tls)):
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
    if isinstance(error, URLError):
        error = error.reason
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return f"its certificate is not trusted: {why} (one of your own is trusted if SSL_CERT_FILE names its file)"
    if isinstance(error, TimeoutError):
        return _silent(limits)
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()) or type(error).__name__
