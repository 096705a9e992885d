"""Calendars are fetched from files and real servers: good, slow and endless ones, and those that lead elsewhere."""

from __future__ import annotations

import os
import re
import socket
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trio

from tests.feeds.writing import calendar
from tests.links.web import Answer, a_web_server, status
from trioarm.core.errors import CalendarUnavailable, InvalidCalendar
from trioarm.feeds.fetch import DEADLINE_S, REDIRECTS_MAX, Fetched, Fetcher, Version, shown
from trioarm.feeds.ics import SIZE_MAX
from trioarm.links.threads import Thread

PATIENCE_S = 20.0
CONTENT = calendar(["DTSTART:20260310T090000Z"]).encode()


def serve(content: bytes, **headers: str) -> Answer:
    """Return an answer with a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


async def fetch(source: str, known: Version | None = None, deadline_s: float = DEADLINE_S) -> Fetched:
    with trio.fail_after(PATIENCE_S):
        return await Fetcher(Thread(), deadline_s).fetch(source, known)


async def refusal(source: str, deadline_s: float = DEADLINE_S) -> str:
    """Return why a calendar cannot be had: one line, without what may be secret."""
    with trio.fail_after(PATIENCE_S), pytest.raises((CalendarUnavailable, InvalidCalendar)) as failed:
        await Fetcher(Thread(), deadline_s).fetch(source)
    assert "\n" not in str(failed.value)
    assert "secret" not in str(failed.value)
    return str(failed.value)


async def test_a_feed_is_fetched_with_its_version() -> None:
    """The content as it is, and by what the server knows it."""
    with a_web_server(serve(CONTENT, ETag='"1"', Last_Modified="Mon, 02 Mar 2026 00:00:00 GMT")) as web:
        found = await fetch(web.url("/secret.ics", "me:p%40ss@"))
        assert found == Fetched(CONTENT, Version('"1"', "Mon, 02 Mar 2026 00:00:00 GMT"))
        assert web.asked == [("/secret.ics", f"Basic {b64encode(b'me:p@ss').decode()}")]


async def test_a_version_that_is_known_is_not_fetched_again() -> None:
    """The server is told which it is, and says that nothing has changed."""
    told = []

    def unchanged(request: BaseHTTPRequestHandler) -> None:
        told.append((request.headers["If-None-Match"], request.headers["If-Modified-Since"]))
        status(304)(request)

    with a_web_server(unchanged) as web:
        assert await fetch(web.url(), Version('"1"')) == Fetched(None, Version('"1"'))
        assert await refusal(web.url()) == "127.0.0.1: the answer is 304"
    assert told == [('"1"', None), (None, None)]


async def test_a_version_that_cannot_be_sent_back_is_none() -> None:
    """A server may call a version what it likes; what is no header is forgotten."""
    with a_web_server(serve(CONTENT, ETag="x" * 2_000)) as web:
        assert (await fetch(web.url())).version == Version()


async def test_redirects_are_followed_and_come_to_an_end() -> None:
    """To another server too, but not for ever."""
    with a_web_server(serve(CONTENT)) as other, a_web_server(status(307, other.url("/moved"))) as web:
        assert (await fetch(web.url())).content == CONTENT
    with a_web_server(status(302, "/again")) as web:
        assert await refusal(web.url("/secret")) == f"127.0.0.1: it redirects more than {REDIRECTS_MAX} times"
        assert len(web.asked) == REDIRECTS_MAX + 1
    with a_web_server(status(302, "file:///etc/passwd")) as web:
        assert await refusal(web.url()) == "127.0.0.1: it redirects to file, which is not followed"


async def test_a_server_that_takes_a_minute_is_given_up() -> None:
    """Whether it never begins, or never ends: the deadline is for all of it."""
    with a_web_server(lambda _: web.over.wait()) as web:
        assert await refusal(web.url("/secret"), 0.3) == "127.0.0.1: no answer within 0.3 s"

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not web.over.wait(0.05):
            try:
                request.wfile.write(b"x")
            except OSError:
                return

    with a_web_server(drip) as web:
        assert await refusal(web.url(), 0.3) == "127.0.0.1: no answer within 0.3 s"


@pytest.mark.parametrize("is_announced", [True, False])
async def test_fifty_megabytes_are_not_read(is_announced: bool) -> None:
    """Neither where the server says how much will come, nor where it just goes on."""
    sent = []

    def flood(request: BaseHTTPRequestHandler) -> None:
        length = b"Content-Length: 52428800\r\n" if is_announced else b""
        request.wfile.write(b"HTTP/1.0 200 OK\r\n" + length + b"\r\n")
        try:
            for _ in range(800):
                request.wfile.write(b" " * 65536)
                sent.append(65536)
        except OSError:
            return

    with a_web_server(flood) as web:
        assert await refusal(web.url()) == f"127.0.0.1: the answer has more than {SIZE_MAX} bytes"
    assert sum(sent) < 50 * 1024 * 1024


async def test_an_answer_that_is_cut_off_is_none() -> None:
    """Half a calendar is not mistaken for a whole one."""
    with a_web_server(serve(CONTENT, Content_Length=str(len(CONTENT) + 10))) as web:
        assert await refusal(web.url()) == "127.0.0.1: the answer is cut off: 10 bytes are missing"


async def test_other_answers_and_no_answer_are_said() -> None:
    """A status by its number, a server that is not there by what the system says."""
    with a_web_server(status(404)) as web:
        assert await refusal(web.url("/secret")) == "127.0.0.1: the answer is 404"
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert await refusal(f"http://me:secret@127.0.0.1:{held.getsockname()[1]}/") == "127.0.0.1: Connection refused"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ftp://secret/x", "the address is none of the web: write it like https://example.org/school.ics"),
        ("http://", "the address is none of the web: write it like https://example.org/school.ics"),
        ("http://[secret", "the address is none of the web: write it like https://example.org/school.ics"),
        ("http://secret:x/", "the address is none of the web: write it like https://example.org/school.ics"),
        ("http://secret/a b", "the address has characters that none has: write them as %20 and the like"),
        ("http://secret/\n", "the address has characters that none has: write them as %20 and the like"),
        ("http://" + "secret" * 999, "the address has 6001 characters: at most 2000"),
    ],
)
async def test_what_is_no_address_is_not_asked_for(source: str, message: str) -> None:
    """One line says what would be right."""
    assert await refusal(source) == message


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("https://me:pw@example.org/private-1234/basic.ics?key=5", "example.org"),
        ("webcal://example.org/a", "example.org"),
        ("http://[", "the address"),
        ("http://", "nowhere"),
        ("/etc/school.ics", '"/etc/school.ics"'),
    ],
)
def test_a_source_is_named_without_its_secrets(source: str, named: str) -> None:
    """Of an address only the host: the rest may be all that is secret about it."""
    assert shown(source) == named


async def test_an_address_for_calendar_programs_is_one_of_the_web() -> None:
    """`webcal` means `https`, which a server that speaks plain HTTP does not answer."""
    with a_web_server(serve(CONTENT)) as web:
        assert "SSL" in await refusal(web.url().replace("http:", "webcal:"))


async def test_a_file_is_read(tmp_path: Path) -> None:
    """Its content as it is."""
    path = tmp_path / "school.ics"
    path.write_bytes(CONTENT)
    assert await fetch(str(path)) == Fetched(CONTENT, Version())


async def test_a_file_of_fifty_megabytes_is_not_read(tmp_path: Path) -> None:
    """Its size says enough."""
    path = tmp_path / "large.ics"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    assert await refusal(str(path)) == (
        f"a calendar has at most {SIZE_MAX} bytes, and this one has {50 * 1024 * 1024} bytes: give a smaller one"
    )


async def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    """Missing, a folder, a pipe nobody writes to, a name that none can have."""
    os.mkfifo(tmp_path / "pipe")
    assert (await refusal(str(tmp_path / "none.ics"))).endswith("No such file or directory")
    assert (await refusal(str(tmp_path))).endswith(" is no file")
    assert (await refusal(str(tmp_path / "pipe"))).endswith(" is no file")
    assert re.fullmatch(r'"a\\x00b": .*embedded null .*', await refusal("a\0b"))  # in words of this Python
