"""Watching a directory on Linux: the kernel says which files in it were written, so that nobody has to look (inotify).

It tells of names, not of contents, and may tell of one twice: who hears of a file looks at the file. Where the system
has no such thing, callers look from time to time instead.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Final

import trio

_MODIFY: Final = 0x002
_CLOSE_WRITE: Final = 0x008
_MOVED_FROM: Final = 0x040
_MOVED_TO: Final = 0x080
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_MASK: Final = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE

_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_HEAD: Final = struct.Struct("iIII")  # struct inotify_event without its name: wd, mask, cookie, length of the name
_READ_BYTES: Final = 64 * 1024  # some thousand events; the kernel keeps 16 384 and then says that it lost some


class DirectoryWatch:
    """News of the files of one directory. Use `open`, which says whether this system has such a thing."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open(cls, directory: Path) -> DirectoryWatch | None:
        """Return a watch on a directory, or None where the system has none, or has no more of them to give."""
        if not sys.platform.startswith("linux"):
            return None
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            return None
        fd = libc.inotify_init1(_NONBLOCK_CLOEXEC)
        if fd < 0:
            return None
        if libc.inotify_add_watch(fd, os.fsencode(directory), _MASK) < 0:
            os.close(fd)
            return None
        return cls(fd)

    async def names(self) -> frozenset[str]:
        """Wait for news and return the names of the files it is about; an empty name when some news was lost.

        Cancellation: at any checkpoint; news that has not been returned is not lost.
        """
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            try:
                return _names(os.read(self._fd, _READ_BYTES))
            except BlockingIOError:
                continue

    def close(self) -> None:
        """Release it."""
        os.close(self._fd)


def _names(events: bytes) -> frozenset[str]:
    found = set()
    start = 0
    while start < len(events):
        _, _, _, length = _HEAD.unpack_from(events, start)
        start += _HEAD.size
        found.add(os.fsdecode(events[start : start + length].rstrip(b"\0")))
        start += length
    return frozenset(found)
