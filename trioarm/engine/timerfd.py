"""An exact timer on Linux: trio wakes on whole milliseconds, the kernel's timerfd on the microsecond (S3.2).

It only ever makes a nap end earlier than its own deadline would; where there is none, nothing is lost but half a
millisecond. The kernel also reports a wall clock that was set, which ends the nap as well.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Final, Protocol

import trio

from trioarm.core.instants import SECOND

_CLOCK_REALTIME: Final = 0
_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0
_ABSOLUTE_CANCEL_ON_SET: Final = 1 | 2


class Timer(Protocol):
    """What ends a nap exactly, and as soon as the wall clock is set."""

    def set(self, due_at: int) -> None:
        """Let it go off at an instant, in microseconds since 1970 UTC; one that has passed goes off at once."""

    async def wait(self) -> bool:
        """Return True when it has gone off, False when the wall clock was set."""

    def close(self) -> None:
        """Release it."""


class FakeTimer:
    """A timer whose wall clock a test sets, and which goes off when a test says so."""

    def __init__(self) -> None:
        self.due_at: int | None = None
        self.closed = False
        self._send, self._receive = trio.open_memory_channel[bool](1)

    def set(self, due_at: int) -> None:
        """Remember the instant."""
        self.due_at = due_at

    async def wait(self) -> bool:
        """Return what a test says that happened."""
        return await self._receive.receive()

    async def goes_off(self) -> None:
        """Go off."""
        await self._send.send(True)

    async def clock_is_set(self) -> None:
        """Say that the wall clock was set."""
        await self._send.send(False)

    def close(self) -> None:
        """Remember that."""
        self.closed = True


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec` where `time_t` is a long: 64-bit Linux."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class ExactTimer:
    """One timer on the wall clock. Use `open`, which says whether this system has such a thing."""

    def __init__(self, libc: ctypes.CDLL, fd: int) -> None:
        self._libc = libc
        self._fd = fd

    @classmethod
    def open(cls) -> ExactTimer | None:
        """Return a timer, or None where the system has none."""
        if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:
            return None
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "timerfd_create"):
            return None
        fd = libc.timerfd_create(_CLOCK_REALTIME, _NONBLOCK_CLOEXEC)
        return None if fd < 0 else cls(libc, fd)

    def set(self, due_at: int) -> None:
        """Let the timer go off at an instant, in microseconds since 1970 UTC; one that has passed goes off at once."""
        seconds, rest = divmod(max(due_at, 1), SECOND)  # zero would disarm it
        spec = _TimerSpec(0, 0, seconds, rest * 1000)
        self._libc.timerfd_settime(self._fd, _ABSOLUTE_CANCEL_ON_SET, ctypes.byref(spec), None)

    async def wait(self) -> bool:
        """Return True when the timer has gone off, False when the wall clock was set."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                os.read(self._fd, 8)
            except BlockingIOError:  # it was set anew since it went off
                continue
            except OSError as error:
                if error.errno != errno.ECANCELED:  # what the kernel says when the clock was set
                    raise
                return False
            return True

    def close(self) -> None:
        """Release it."""
        os.close(self._fd)
