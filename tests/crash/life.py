"""A process that is started to be killed: forked, so that it costs nothing but itself, and heard through a pipe."""

from __future__ import annotations

import os
import random
import select
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeAlias

import attrs
import trio

from tests.crash.evidence import Evidence, Line, now
from tests.crash.node import Place

Body: TypeAlias = Callable[[Callable[..., object]], Awaitable[None]]


class Ended(Exception):
    """A process ended in a way that nobody asked for."""


@attrs.define(slots=True)
class Life:
    """One process of a node.

    Args:
        place: where it lives.
        pid: of its process.
        pipe: says when it works, and when it has ended.
    """

    place: Place
    pid: int
    pipe: int

    @classmethod
    def begin(cls, body: Body, place: Place, seed: int = 0) -> Life:
        """Start a process, a copy of this one, which has to be without threads and event loops.

        Args:
            body: what it does; it gets what says that it works.
            place: where it leaves behind what it prints.
            seed: of its chance.
        """
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reading)
            _do(body, place, seed, writing)
        os.close(writing)
        return cls(place, pid, reading)

    def said(self, within_s: float) -> bytes | None:
        """Return what it says, nothing when it has ended, None when it says nothing for so long."""
        ready, _, _ = select.select([self.pipe], [], [], within_s)
        return os.read(self.pipe, 1) if ready else None

    def kill(self) -> bool:
        """End it, and return whether it had died by its own hand before."""
        died, killed_at = self.said(0.0) == b"", now()
        if not died:
            os.kill(self.pid, signal.SIGKILL)
        if (code := self.code()) != -signal.SIGKILL:
            raise Ended(f"a node ended by itself with {code}: see {self.place.log}")
        Evidence(self.place.evidence).write(Line(what="killed", pid=self.pid, at=0 if died else killed_at))
        return died

    def halt(self) -> None:
        """Stop it where it stands, as with SIGSTOP, and note when."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
        Evidence(self.place.evidence).write(Line(what="halted", pid=self.pid, at=now()))

    def go_on(self) -> None:
        """Let it go on, and note when."""
        Evidence(self.place.evidence).write(Line(what="continued", pid=self.pid, at=now()))
        os.kill(self.pid, signal.SIGCONT)

    def code(self) -> int:
        """Wait until it has ended, and return its exit code."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(status)


def _do(body: Body, place: Place, seed: int, pipe: int) -> NoReturn:
    code = 1
    try:
        log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        random.seed(seed)
        trio.run(body, lambda word=b".": os.write(pipe, word))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)
