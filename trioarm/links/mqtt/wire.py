"""The wire: what paho takes for a socket. Bytes in memory, which somebody else carries, one packet at a time.

So paho never waits for the network and never reads more than a packet of bounded size; how long carrying may take, and
what cancels it, is decided by whoever carries.
"""

from __future__ import annotations

from typing import Final

import trio

PACKET_MAX: Final = 16 * 1024 * 1024  # bytes: what is larger is no message of a house, and could fill the memory
QUEUE_MAX: Final = 1024 * 1024  # bytes not sent yet: beyond, nothing more is read that would have to be answered
_PUBLISH: Final = 3  # type of the packet that carries a message
_LENGTH_BYTES: Final = 4


class Garbled(Exception):
    """What was received is not what a broker sends to us; one line."""


class Wire:
    """Both directions of a connection."""

    def __init__(self) -> None:
        self.queued = 0  # bytes that paho wanted to be sent, in all
        self._received = bytearray()
        self._readable = 0  # bytes at the beginning of `received` that paho may read: one packet
        self._to_send = bytearray()
        self._moved = trio.Event()

    # what carries the bytes

    def feed(self, data: bytes | bytearray) -> None:
        """Take what was received."""
        self._received += data

    def next_packet(self) -> bool:
        """Let paho read the next packet; return whether all of it is there.

        Raises:
            Garbled: it is none that we read.
        """
        size = _packet_size(self._received)
        self._readable = size if size is not None and size <= len(self._received) else 0
        return self._readable > 0

    async def take(self) -> bytes:
        """Wait for something that is to be sent, and return all of it."""
        while not self._to_send:
            await self._wait()
        return self.take_nowait()

    def take_nowait(self) -> bytes:
        """Return what is to be sent, which may be nothing."""
        data = bytes(self._to_send)
        self._to_send.clear()
        self._moved.set()
        return data

    async def room(self) -> None:
        """Wait until not too much waits to be sent."""
        while len(self._to_send) > QUEUE_MAX:
            await self._wait()

    async def _wait(self) -> None:
        self._moved = trio.Event() if self._moved.is_set() else self._moved
        await self._moved.wait()

    # what paho wants of a socket

    def recv(self, buffer_size: int) -> bytes:
        """Return the next bytes of the packet."""
        size = min(buffer_size, self._readable)
        if size == 0:
            raise BlockingIOError
        data = bytes(self._received[:size])
        del self._received[:size]
        self._readable -= size
        return data

    def send(self, buffer: bytes | bytearray) -> int:
        """Take what is to be sent: all of it."""
        self._to_send += buffer
        self.queued += len(buffer)
        self._moved.set()
        return len(buffer)

    def close(self) -> None:
        """Nothing is to be closed here."""

    def fileno(self) -> int:
        """There is no file."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""


def _packet_size(received: bytearray) -> int | None:
    """Return how many bytes the packet at the beginning has; None if that is not known yet."""
    length = 0
    for index, byte in enumerate(received[1 : 1 + _LENGTH_BYTES]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            _check_packet(received[0], length)
            return 2 + index + length
    if len(received) > _LENGTH_BYTES:
        raise Garbled("its packets are none of MQTT")
    return None


def _check_packet(head: int, length: int) -> None:
    if head >> 4 == _PUBLISH and head & 0x06 not in (0, 0x02):
        raise Garbled("it sends a message with a quality of service that was not asked for")
    if length > PACKET_MAX:
        raise Garbled(f"it sends a packet of {length} bytes: {PACKET_MAX} at most are read")
