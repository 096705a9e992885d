"""Who keeps a store locked: said as well as the system knows it, so that a person knows what to end. Linux only.

It is read from /proc alone: to open the file once more, and close it, would let go of all locks that this process has.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOCKS: Final = Path("/proc/locks")
_WRITING: Final = 120  # the byte of a store's -shm file that is locked by whoever writes; SQLite's file format has it
_HALTED: Final = ("T", "t")  # states of a process, as /proc says them: by a signal, by a debugger


_ABOUT_HALTED: Final = ", which is halted and keeps it until it goes on or is killed"


def holder_of(path: Path) -> str | None:
    """Return which other process is in a transaction on a store, and whether it is halted; None when nobody knows."""
    with suppress(OSError, ValueError):  # it may have ended between two looks, and not all systems have /proc
        found = os.stat(f"{path}-shm")
        file = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        for line in _LOCKS.read_text(encoding="ascii").splitlines():
            pid = _writer(line, file)
            if pid is not None and pid > 0 and pid != os.getpid():
                return f"process {pid}" + (_ABOUT_HALTED if _is_halted(pid) else "")
    return None


def _writer(line: str, file: str) -> int | None:
    """Return the process that a line of the system's locks is about, if it says that it writes a store."""
    fields = line.split()  # 1: POSIX  ADVISORY  WRITE 4711 08:01:131 120 120; what waits for a lock has `->` second
    if fields[1] != "POSIX" or fields[3] != "WRITE" or fields[5] != file:
        return None
    is_writing = int(fields[6]) <= _WRITING and fields[7] != "EOF" and int(fields[7]) >= _WRITING
    return int(fields[4]) if is_writing else None


def _is_halted(pid: int) -> bool:
    said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return said.rpartition(")")[2].split()[0] in _HALTED
