"""Nodes on one file: who is alive, told by a lease in boot time and by a lock that dies with its process (S3.4, S7.1).

A lease lasts whatever the wall clock does, and ends with the boot it was given in. The lock is on a file of the node's
own beside the store: who can take it knows that its process is gone, without waiting for the lease to run out.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import attrs

from trioarm.core.errors import RepositoryError
from trioarm.core.instants import SECOND
from trioarm.repositories.sqlite import questions, statements

MARK: Final = ".node-"  # between the name of the store's file and that of the node
LOCK_MODE: Final = 0o600

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class BootClock(Protocol):
    """Time since the machine was started, which nobody sets."""

    def now(self) -> int:
        """Return microseconds since the start of the machine, those it was suspended included."""

    def boot(self) -> str:
        """Return what tells this start of the machine from every other."""


class SystemBootClock:
    """The machine's own; where the system has no such thing, the nearest to it."""

    def now(self) -> int:
        """Return microseconds since the start of the machine."""
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime_ns(clock) // 1000

    def boot(self) -> str:
        """Return the kernel's name for this boot; empty where it has none, and then leases alone tell."""
        try:
            return _BOOT_ID.read_text().strip()
        except OSError:
            return ""


class NodeLock:
    """A file beside the store that is locked for as long as the process of a node lives.

    Args:
        store: the store's file.
        node: name of the node.
    """

    def __init__(self, store: Path, node: str) -> None:
        self.path = store.with_name(f"{store.name}{MARK}{node}")
        self._fd: int | None = None

    def take(self) -> bool:
        """Lock the file, and return whether nobody else holds it.

        Raises:
            OSError: it cannot be made or opened.
        """
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, LOCK_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Unlock and remove the file."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            self.path.unlink(missing_ok=True)
            os.close(fd)

    def abandon(self) -> None:
        """Unlock the file and leave it where it is, as the system does when a process ends."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def is_gone(self) -> bool:
        """Whether the process that held it has ended; a file that is not there says nothing."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)  # to read only: whoever watches hears nothing of it
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look at once see the same
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True


def is_of_a_node(store: Path, name: str) -> bool:
    """Whether a file beside the store is that of a node."""
    return name.startswith(f"{store.name}{MARK}")


@attrs.frozen(slots=True)
class Others:
    """What is known of the other nodes of a store.

    Args:
        gone: those whose runs are nobody's any more.
        look_after: microseconds until the first lease of a living one runs out; None when there is no other.
    """

    gone: tuple[str, ...]
    look_after: int | None


class Nodes:
    """The nodes of a store, and the one that lives in this process.

    Args:
        store: the store's file.
        clock: what leases count by.
        lease_s: how long a lease lasts, in seconds.
    """

    def __init__(self, store: Path, clock: BootClock, lease_s: float) -> None:
        self._store = store
        self._clock = clock
        self._lease_s = lease_s
        self._lock: NodeLock | None = None
        self.own: str | None = None

    def join(self, node: str, now: int, connection: sqlite3.Connection) -> None:
        """Give a node of this process its lock and its first lease.

        It may have one already: from a join that was not kept, or from before it was given up for gone.

        Args:
            now: the wall clock, for people who ask since when.
        """
        self._let_go()
        lock = NodeLock(self._store, node)
        if not lock.take():
            raise RepositoryError(f"{lock.path} is locked: a node of that name is alive already")
        self._lock, self.own = lock, node
        connection.execute(statements.JOIN, (node, self._clock.boot(), self._lease(), now))
        connection.execute(statements.WRITE, (now,))

    def renew(self, node: str, now: int, connection: sqlite3.Connection) -> bool:
        """Renew a lease, and return whether the node was still known.

        Args:
            now: the wall clock, to know a clock that is behind it later.
        """
        connection.execute(statements.WRITE, (now,))
        values = (self._clock.boot(), self._lease(), node)
        return connection.execute(statements.RENEW, values).rowcount == 1

    def leave(self, node: str, connection: sqlite3.Connection) -> None:
        """Forget the node of this process."""
        connection.execute(statements.LEAVE, (node,))

    def now(self) -> int:
        """Return microseconds on the clock that leases count by, which nobody sets."""
        return self._clock.now()

    def unlock(self) -> None:
        """Give up the lock of the node of this process."""
        self.own = None
        self._let_go()

    def abandon(self) -> None:
        """Lose the lock of the node of this process, as when it is killed."""
        if self._lock is not None:
            self._lock.abandon()

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def others(self, connection: sqlite3.Connection) -> Others:
        """Find nodes that are gone: by their lock, their lease, another boot, or because nobody knows them."""
        now, boot = self._clock.now(), self._clock.boot()
        strangers = {name for (name,) in connection.execute(questions.HELD_NODES) if name is not None}
        gone, look_after = [], None
        for name, boot_then, expires_at in connection.execute(questions.NODES).fetchall():
            strangers.discard(name)
            if name == self.own:
                continue
            if boot_then != boot or expires_at <= now or NodeLock(self._store, name).is_gone():
                gone.append(name)
            elif look_after is None or expires_at - now < look_after:
                look_after = expires_at - now
        strangers.discard(self.own)
        return Others((*gone, *sorted(strangers)), look_after)

    def forget(self, gone: Iterable[str], connection: sqlite3.Connection) -> None:
        """Forget nodes that are gone and hold nothing."""
        for name in gone:
            connection.execute(statements.LEAVE, (name,))
            NodeLock(self._store, name).path.unlink(missing_ok=True)

    def _lease(self) -> int:
        return self._clock.now() + round(self._lease_s * SECOND)
