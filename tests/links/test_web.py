"""Something is told to real servers: once, to the address that was meant, and only while somebody waits."""

from __future__ import annotations

import socket
import struct
import threading
from base64 import b64encode
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler

import pytest
import trio

from tests.links.tls import Certificate, an_encrypted_server, certificate
from tests.links.web import a_web_server, says, status
from trioarm.links.web import Answer, Limits, Web, WebFailed

__all__ = ["certificate"]

PATIENCE_S = 30.0
SOON = Limits(deadline_s=0.3, redirects=0)
LIMITS = Limits(deadline_s=PATIENCE_S, redirects=3, size=100)


async def post(url: str, content: bytes = b"content", limits: Limits = LIMITS) -> Answer:
    with trio.fail_after(PATIENCE_S):
        return await Web(limits).post(url, content, {"Content-Type": "text/plain"})


async def test_what_is_told_arrives_as_it_is() -> None:
    """All octets of it, with its length, and who tells it."""
    heard: list[tuple[bytes, str, str, str]] = []
    content = bytes(range(256)) * 1000

    def listen(request: BaseHTTPRequestHandler) -> None:
        size, kind = request.headers["Content-Length"], request.headers["Content-Type"]
        heard.append((request.rfile.read(int(size)), kind, request.command, request.headers["Authorization"]))
        status(202)(request)

    with a_web_server(listen) as web:
        assert (await post(web.url("/x", "me:p%40ss@"), content)).status == 202
    assert heard == [(content, "text/plain", "POST", f"Basic {b64encode(b'me:p@ss').decode()}")]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_it_is_told_to_nobody_else(code: int) -> None:
    """A redirect is an answer like others, also where fetching would follow it."""
    with a_web_server() as other, a_web_server(status(code, other.url())) as web:
        assert (await post(web.url())).status == code
        assert (len(web.asked), other.asked) == (1, [])


@pytest.mark.parametrize(("code", "body"), [(200, b""), (204, b""), (302, b""), (400, b"x" * 100), (500, b"x" * 100)])
async def test_only_of_a_complaint_the_beginning_is_read(code: int, body: bytes) -> None:
    """What was taken was taken, whatever else is said."""
    with a_web_server(says(b"" if code == 204 else b"x" * 1000, code)) as web:
        answer = await post(web.url())
    assert (answer.status, answer.body) == (code, body)


async def test_a_refusal_is_one_however_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is reset in the middle of the words: the status counts, and as many of them as came."""
    has_come = threading.Event()

    def refuse(request: BaseHTTPRequestHandler) -> None:
        request.send_response(403)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"wrong")
        request.wfile.flush()
        assert has_come.wait(PATIENCE_S)
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()

    def read(answer: HTTPResponse, size: int) -> bytes:
        part = read1(answer, size)
        has_come.set()
        return part

    read1 = HTTPResponse.read1
    monkeypatch.setattr(HTTPResponse, "read1", read)
    with a_web_server(refuse) as web:
        answer = await post(web.url())
    assert (answer.status, answer.body) == (403, b"wrong")


async def test_silence_is_a_failure() -> None:
    """It may have been heard nevertheless."""
    with a_web_server(lambda _: web.over.wait()) as web:
        with pytest.raises(WebFailed, match=r"no answer within 0\.3 s"):
            await post(web.url(), limits=SOON)
        assert len(web.asked) == 1


async def test_what_was_given_up_is_not_told_any_more(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once nobody waits for the answer, the connection may come to stand: what was to be told stays here."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca))
    may_be_secured = threading.Event()
    with an_encrypted_server(certificate, may_be_secured) as (url, received):
        with trio.fail_after(PATIENCE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(post, url, b"arm it")
                while not received:  # noqa: ASYNC110 - a thread tells
                    await trio.sleep(0.005)
                nursery.cancel_scope.cancel()
        may_be_secured.set()
        with trio.fail_after(PATIENCE_S):
            while len(received) < 2:  # noqa: ASYNC110 - a thread tells
                await trio.sleep(0.005)
    assert b"arm it" not in b"".join(received)


async def test_where_no_redirect_is_wanted_none_is_followed() -> None:
    """A fetch says so, whatever it leads to."""
    with a_web_server() as other:
        for where in (other.url(), "file:///etc/passwd", "http://["):
            with a_web_server(status(302, where)) as web, pytest.raises(WebFailed, match="which is not followed"):
                await Web(Limits(deadline_s=PATIENCE_S, redirects=0)).get(web.url())
        assert other.asked == []


async def test_a_thread_that_is_kept_busy_ends_when_it_is_given_up() -> None:
    """A server that asks for patience for ever does not get it: its line is cut, and the thread is free again."""
    noticed = threading.Event()

    def beg(request: BaseHTTPRequestHandler) -> None:
        try:
            while not web.over.is_set():
                request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            noticed.set()

    with a_web_server(beg) as web:
        for told in (Web(SOON).get(web.url()), post(web.url(), limits=SOON)):
            with pytest.raises(WebFailed, match="no answer within"):
                await told
            assert await trio.to_thread.run_sync(noticed.wait, PATIENCE_S)
            noticed.clear()
