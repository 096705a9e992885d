"""A pool: workers for some handlers, fed by a memory channel, and an account of what they hold (S6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import trio

from trioarm.core.admission import Room
from trioarm.core.run import RunRecord
from trioarm.engine.attempt import Attempt, Handler

POOL_MAX: Final = 10_000  # the largest max_concurrent; the buffer of a pool's channel


@attrs.frozen(slots=True)
class PoolSettings:
    """The size of a pool.

    Args:
        workers: handlers called at once.
        held: runs claimed and running at once; those beyond the workers wait in its channel.
    """

    workers: int = 3
    held: int = 5


class Pool:
    """Workers for some handlers, and what they hold.

    Args:
        name: for people.
        settings: its size; `RunExecutor.resize` changes it while it works.
        handlers: by registered name.
    """

    def __init__(self, name: str, settings: PoolSettings, handlers: Mapping[str, Handler]) -> None:
        self.name = name
        self.settings = settings
        self.handlers = dict(handlers)
        self._names = tuple(handlers)
        self.held: dict[int, str] = {}  # runs given and not yet recorded, with the handler they were given for
        self.open = 0  # given and not yet ended
        self.leaving = 0  # held, but their outcomes are being kept: what is claimed after that finds their room
        self.expected = 0  # to be given, once that they are claimed is kept
        self.running: dict[int, Attempt] = {}
        self.stuck: dict[int, Attempt] = {}
        self.workers = 0  # tasks that work for it; those lost to stuck handlers do not
        self.wanted = settings.workers  # how many there should be
        self.threads = trio.CapacityLimiter(_threads(settings))  # for plain functions
        self.backlog = False  # whether runs were left waiting when it was last full
        self.send, self.receive = trio.open_memory_channel[RunRecord | None](POOL_MAX)  # None sends an idle worker home

    def resize(self, settings: PoolSettings) -> None:
        """Give it another size."""
        self.settings = settings
        self.threads.total_tokens = _threads(settings)

    def recount(self) -> None:
        """Say anew how many workers there should be: those lost to stuck handlers are replaced once, then missing."""
        size = self.settings.workers
        self.wanted = max(0, size - max(0, len(self.stuck) - size))

    @property
    def free(self) -> int:
        """How many runs it may claim: none while all its workers are lost, for what is claimed waits unseen."""
        return self.settings.held - len(self.held) + self.leaving - self.expected if self.wanted else 0

    def room(self) -> Room:
        """Return what it can take now."""
        several = min(self.wanted, self.settings.held) > 1
        return Room(self.free, self.wanted - self.open - self.expected, reserved=int(several))

    def callable(self) -> tuple[str, ...]:
        """Return the handlers it may be given runs for."""
        return tuple(filter(self.may_call, self._names)) if self.stuck else self._names

    def may_call(self, handler: str) -> bool:
        """Whether not too many of its workers are lost to that handler already."""
        if not self.stuck:
            return True
        lost = sum(attempt.handler == handler for attempt in self.stuck.values())
        return lost < self.settings.workers


def _threads(settings: PoolSettings) -> int:
    """Return how many threads a pool may need: one for each worker, and those lost to stuck handlers, who are replaced
    up to once its size. So no worker ever waits for one."""
    return max(1, 2 * settings.workers)
