"""One question to a server on this machine, as a supervisor or a browser asks it."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

import trio

from tests.cli.programs import DEADLINE_S


async def ask(port: int, request: str) -> tuple[int, Any]:
    """Send a request such as `GET /health`, and return the status and what the JSON of the answer says."""
    answer = b""
    with trio.fail_after(DEADLINE_S):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            await stream.send_all(f"{request} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            async for data in stream:
                answer += data
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def hang_up(port: int) -> None:
    """Ask, and reset the connection without listening."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(b"GET /schedules HTTP/1.1\r\n")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
