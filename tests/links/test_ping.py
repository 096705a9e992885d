"""Pings of real servers: those that answer well, badly, for ever, or not at all, and those that lead elsewhere."""

from __future__ import annotations

import socket
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trio

from tests.links.web import a_web_server, status
from trioarm.links.ping import REDIRECTS_MAX, Pinger, PingFailed

SOON_S = 0.3
PATIENCE_S = 30.0


async def refusal(url: str, deadline_s: float = PATIENCE_S) -> str:
    """Return why a ping failed."""
    with trio.fail_after(PATIENCE_S), pytest.raises(PingFailed) as failed:
        await Pinger(deadline_s).ping(url)
    assert url not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("code", [200, 204, 299])
async def test_a_good_answer_counts(code: int) -> None:
    """Any status from 200 to 299 is one."""
    with a_web_server(status(code)) as web:
        assert await Pinger().ping(web.url("/alive?node=1")) == code
        assert web.asked == [("/alive?node=1", None)]


@pytest.mark.parametrize("code", [304, 404, 500])
async def test_another_answer_is_a_failure(code: int) -> None:
    """Everything else fails, by its number."""
    with a_web_server(status(code)) as web:
        assert await refusal(web.url()) == f"the answer is {code}"


async def test_a_server_that_never_answers_is_given_up() -> None:
    """A ping ends with its deadline, whatever the server does."""
    with a_web_server(lambda _: web.over.wait()) as web:
        assert await refusal(web.url(), SOON_S) == "no answer within 0.3 s"


async def test_an_answer_that_drips_is_given_up() -> None:
    """A server that sends a header now and then for ever cannot keep a ping beyond its deadline."""

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n")
        while not web.over.wait(0.05):
            try:
                request.wfile.write(b"X: y\r\n")
            except OSError:
                return

    with a_web_server(drip) as web:
        assert await refusal(web.url(), SOON_S) == "no answer within 0.3 s"


async def test_a_body_without_end_is_not_read() -> None:
    """Only the status counts: what follows is left where it is, also where it redirects."""

    def flood(request: BaseHTTPRequestHandler) -> None:
        redirected = request.path == "/there"
        request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" if redirected else b"HTTP/1.0 302 F\r\nLocation: /there\r\n\r\n")
        try:
            while not web.over.is_set():
                request.wfile.write(b"x" * 65536)
        except OSError:
            return

    with a_web_server(flood) as web:
        assert await Pinger().ping(web.url("/here")) == 200
        assert [path for path, _ in web.asked] == ["/here", "/there"]


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
async def test_a_redirect_to_anything_but_the_web_is_not_followed(scheme: str, tmp_path: Path) -> None:
    """A server cannot make a node read its own files, nor speak another protocol."""
    target = tmp_path / "secret"
    target.write_text("secret")
    with a_web_server(status(302, f"{scheme}://{target}")) as web:
        assert await refusal(web.url()) == f"it redirects to {scheme}, which is not followed"


async def test_a_redirect_to_the_web_is_followed_without_the_password() -> None:
    """Another address is fetched too, but is not told what was meant for the first."""
    with a_web_server() as other, a_web_server(status(307, other.url("/moved"))) as web:
        assert await Pinger().ping(web.url("/ping", "me:p%40ss@")) == 204
        assert web.asked == [("/ping", f"Basic {b64encode(b'me:p@ss').decode()}")]
        assert other.asked == [("/moved", None)]


async def test_redirects_come_to_an_end() -> None:
    """A loop is given up after a few turns."""
    with a_web_server(status(302, "/again")) as web:
        assert await refusal(web.url()) == f"it redirects more than {REDIRECTS_MAX} times"
        assert len(web.asked) == REDIRECTS_MAX + 1


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:99999/", "http:///nowhere"])
async def test_a_redirect_to_nonsense_is_a_failure(location: str) -> None:
    """What is no address is no reason to fall over."""
    with a_web_server(status(302, location)) as web:
        assert await refusal(web.url())


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    """A refused connection says so."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert await refusal(f"http://127.0.0.1:{held.getsockname()[1]}/") == "Connection refused"


async def test_what_is_no_http_is_a_failure() -> None:
    """A server that speaks something else is one line."""

    def babble(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-whatever\r\n")

    with a_web_server(babble) as web:
        assert "SSH-2.0" in await refusal(web.url())


async def test_threads_that_never_end_are_few() -> None:
    """Servers that never answer keep two threads, and then pings fail without another."""
    with a_web_server(lambda _: web.over.wait()) as web:
        pinger = Pinger(SOON_S)
        for _ in range(3):
            with trio.fail_after(PATIENCE_S), pytest.raises(PingFailed):
                await pinger.ping(web.url())
