"""A WebSocket of ours, on a stream: wsproto makes and reads the frames, trio carries them, keeps time, and cancels."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Pong, RejectConnection, Request, TextMessage
from wsproto.utilities import ProtocolError

from trioarm.links.dial import Stream

CLOSED: Final = "it closed the connection"
CHUNK: Final = 64 * 1024  # bytes read at once


class Closed(Exception):
    """The WebSocket has come to its end; one line says why.

    Args:
        in_order: whether the other side has ended it, so that nothing it has sent before is missing.
    """

    def __init__(self, message: str, *, in_order: bool = False) -> None:
        super().__init__(message)
        self.in_order = in_order


class WebSocket:
    """One WebSocket, as its client.

    Args:
        stream: what is spoken over; whoever opened it closes it.
        send_s: how long the other side may take to take what is sent.
    """

    def __init__(self, stream: Stream, send_s: float) -> None:
        self._stream = stream
        self._send_s = send_s
        self._frames = WSConnection(ConnectionType.CLIENT)
        self._events: Iterator[Event] = iter(())
        self._turn = trio.Lock()

    async def greet(self, authority: str, path: str) -> None:
        """Ask for a WebSocket.

        Args:
            authority: host and port.
            path: of the URL.

        Raises:
            Closed: there is none.
        """
        await self._send(Request(host=authority, target=path))
        event = await self._next_event()
        if isinstance(event, RejectConnection):
            raise Closed(_rejection(event.status_code))
        if not isinstance(event, AcceptConnection):
            raise Closed("it does not answer as a WebSocket does")

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            Closed: it was not sent, or not all of it: there is no other after it.

        Cancellation: at any time; the WebSocket is then at its end.
        """
        await self._send(TextMessage(data=text))

    async def receive(self, most: int) -> str:
        """Return the next message.

        Args:
            most: characters that it may have.

        Raises:
            Closed: there is none any more, or it is too large.
        """
        parts, size = list[str](), 0
        while True:
            event = await self._next_event()
            if isinstance(event, Ping):
                await self._send(event.response())
            elif isinstance(event, CloseConnection):
                is_told = self._frames.state is not ConnectionState.OPEN  # else wsproto gives up
                raise Closed(CLOSED if is_told else "its frames are none of a WebSocket", in_order=is_told)
            elif isinstance(event, TextMessage):
                parts.append(event.data)
                size += len(event.data) + 1  # a part may be empty
                if size > most:
                    raise Closed(f"it sends a message of more than {most} characters")
                if event.message_finished:
                    return "".join(parts)
            elif not isinstance(event, Pong):
                raise Closed("it sends what is no text")

    async def _send(self, event: Event) -> None:
        async with self._turn:
            try:
                data = self._frames.send(event)
            except (ProtocolError, ValueError):  # it was closed, or the host is no name
                raise Closed("nothing can be sent any more") from None
            with trio.move_on_after(self._send_s):
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise Closed(CLOSED) from None
                except trio.Cancelled:
                    await trio.aclose_forcefully(self._stream)  # half a frame may be on its way
                    raise
                return
            raise Closed(f"it takes nothing: {len(data)} bytes within {self._send_s:g} s")

    async def _next_event(self) -> Event:
        while True:
            try:
                event = next(self._events, None)
                if event is not None:
                    return event
                self._frames.receive_data(await self._receive_some())
                self._events = self._frames.events()
            except (ProtocolError, ValueError):  # ValueError: headers that are no text
                raise Closed("it does not answer as a WebSocket does") from None

    async def _receive_some(self) -> bytes:
        try:
            data = bytes(await self._stream.receive_some(CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise Closed(CLOSED) from None
        if not data:
            raise Closed(CLOSED, in_order=True)
        return data


def _rejection(status: int) -> str:
    if 300 <= status < 400:
        return f"it redirects ({status}), which is not followed: put the address that it leads to into url"
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    return f"it gives us no WebSocket: the answer is {status}{phrase}"
