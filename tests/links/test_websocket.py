"""A WebSocket of ours: frames that go both ways, and ends that are told in one line."""

from __future__ import annotations

import base64
import hashlib

import pytest
import trio
import trio.testing

from trioarm.links.homeassistant.websocket import Closed, WebSocket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MOST = 100


async def asked(server: trio.testing.MemorySendStream | trio.abc.Stream) -> bytes:
    """Return what a client asks for, up to its empty line."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await server.receive_some()  # type: ignore[union-attr]
    return request


def accepted(request: bytes) -> bytes:
    """Return the answer that gives what is asked for."""
    [key] = [line.split()[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
    token = base64.b64encode(hashlib.sha1(key + GUID).digest())
    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade")
    return b"\r\n".join((*lines, b"Sec-WebSocket-Accept: " + token, b"", b""))


async def a_websocket(said: bytes = b"", send_s: float = 10.0) -> tuple[WebSocket, trio.abc.Stream]:
    """Return one that has been greeted, and the other end, which has said something already."""
    ours, theirs = trio.testing.memory_stream_pair()
    socket = WebSocket(ours, send_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket.greet, "hut:8123", "/api/websocket")
        request = await asked(theirs)
        assert request.startswith(b"GET /api/websocket HTTP/1.1\r\nHost: hut:8123\r\n")
        await theirs.send_all(accepted(request) + said)
    return socket, theirs


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "it does not answer as a WebSocket does"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "it does not answer as a WebSocket does"),
        (b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Protocol: \xff\r\n\r\n", "it does not answer as a WebSocket does"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "it gives us no WebSocket: the answer is 200 OK"),
        (b"HTTP/1.1 599 x\r\n\r\n", "it gives us no WebSocket: the answer is 599"),
        (b"HTTP/1.1 308 x\r\nLocation: https://h/\r\n\r\n", "it redirects (308), which is not followed"),
        (b"", "it closed the connection"),
    ],
)
async def test_who_gives_none_is_told_in_one_line(answer: bytes, line: str) -> None:
    """Whatever it says instead."""
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.send_all(answer)
    theirs.send_stream.close()
    with pytest.raises(Closed) as caught:
        await WebSocket(ours, 10).greet("hut", "/")
    assert str(caught.value).startswith(line)


async def test_a_host_that_is_no_name_is_not_greeted() -> None:
    """It could not be written into a header."""
    ours, _ = trio.testing.memory_stream_pair()
    with pytest.raises(Closed, match="nothing can be sent any more"):
        await WebSocket(ours, 10).greet("x" * 100, "/")


async def test_messages_come_whole() -> None:
    """In one part or several, with signs of life between them, which are answered; those we did not ask for are not."""
    parts = b"\x01\x02ab" + b"\x89\x01?" + b"\x8a\x01!" + b"\x80\x01c"
    socket, theirs = await a_websocket(b"\x81\x02hi" + parts)
    assert await socket.receive(MOST) == "hi"
    assert await socket.receive(MOST) == "abc"
    pong = await theirs.receive_some()
    assert (pong[0], pong[1]) == (0x8A, 0x81)  # one octet, masked as all that a client sends


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"\x82\x01x", "it sends what is no text"),
        (b"\x88\x00", "it closed the connection"),
        (b"\x81\x65" + b"x" * 101, "it sends a message of more than 100 characters"),
        (b"\x01\x00" + b"\x00\x00" * 101, "it sends a message of more than 100 characters"),
        (b"\xff\xff", "its frames are none of a WebSocket"),
        (b"\x81\x01\xff", "its frames are none of a WebSocket"),
    ],
)
async def test_ends_are_one_line(said: bytes, line: str) -> None:
    """Also where it does not keep to what WebSockets are."""
    socket, _ = await a_websocket(said)
    with pytest.raises(Closed, match=f"^{line}$"):
        await socket.receive(MOST)


async def test_what_is_not_taken_in_time_is_the_end() -> None:
    """Half a message may be on its way, so there is none after it."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    with pytest.raises(Closed, match=r"^it takes nothing: \d+ bytes within 0\.05 s$"):
        await WebSocket(ours, 0.05).greet("hut", "/")
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"x")
    await theirs.aclose()


async def test_who_is_cancelled_while_sending_ends_it() -> None:
    """For the same reason."""
    ours, _ = trio.testing.lockstep_stream_pair()
    socket = WebSocket(ours, 10)
    with trio.move_on_after(0.05) as scope:
        await socket.greet("hut", "/")
    assert scope.cancelled_caught
    with pytest.raises(trio.ClosedResourceError):
        await ours.send_all(b"x")


async def test_nothing_is_sent_over_a_line_that_has_ended() -> None:
    """One line, as for all else."""
    socket, theirs = await a_websocket()
    await theirs.aclose()
    with pytest.raises(Closed, match=r"^it closed the connection$"):
        await socket.send("x")
    socket, _ = await a_websocket(b"\x88\x00")
    with pytest.raises(Closed):
        await socket.receive(MOST)
    with pytest.raises(Closed, match=r"^nothing can be sent any more$"):
        await socket.send("x")
