"""Where unfinished runs wait: in the due index for a time, in a lane for its holder, in a queue for a worker."""

from __future__ import annotations

from collections.abc import Collection

from trioarm.core.due_index import DueIndex
from trioarm.core.run import RunRecord
from trioarm.core.states import WaitingFor
from trioarm.repositories.memory.ready import Lane, ReadyQueue, in_turn


class Waiting:
    """Runs that wait, each in one place.

    Args:
        index: where a run has the complement of its number: the instant it may start or, while it waits for something
            else, the instant it gives up.
    """

    __slots__ = ("_index", "_lanes", "_ready", "busy_lanes")

    def __init__(self, index: DueIndex) -> None:
        self._index = index
        self._lanes: dict[str, Lane] = {}
        self._ready: dict[str, ReadyQueue] = {}
        self.busy_lanes: set[str] = set()

    def of_lane(self, name: str) -> Collection[RunRecord]:
        """Return the unfinished runs of a lane."""
        lane = self._lanes.get(name)
        return list(lane.unfinished.values()) if lane else ()

    def enter(self, run: RunRecord, lane: str) -> None:
        """Note an unfinished run of a lane."""
        self._lanes.setdefault(lane, Lane()).unfinished[run.run_id] = run

    def put(self, run: RunRecord, now: int) -> None:
        """Put a pending run where it belongs."""
        schedule = run.schedule.schedule
        if run.due_at > now:
            self._index.put(~run.run_id, run.due_at, -schedule.priority)
            return
        if run.give_up_at is None:
            self._index.discard(~run.run_id)
        else:
            self._index.put(~run.run_id, run.give_up_at)
        if run.lane is not None and run.lane in self.busy_lanes and not run.holds_lane:
            self._lanes[run.lane].wait(run)
            return
        run.waiting_for = WaitingFor.HANDLER
        queue = self._ready.get(schedule.handler)
        if queue is None:
            queue = self._ready[schedule.handler] = ReadyQueue(schedule.handler)
        queue.put(run)

    def put_again(self, run: RunRecord, now: int) -> None:
        """Put a run elsewhere; in its lane it may have been the one whose turn it was."""
        self.put(run, now)
        if run.lane is not None:
            self._let_in(self._lanes[run.lane], now)

    def hold(self, run: RunRecord, lane: str) -> None:
        """Let a run keep all others of its lane out."""
        self._lanes[lane].holder = run
        self.busy_lanes.add(lane)

    def leave(self, run: RunRecord, name: str, now: int) -> None:
        """Take a run that has ended out of its lane, and let the next one in."""
        lane = self._lanes[name]
        del lane.unfinished[run.run_id]
        if lane.holder is run:
            lane.holder = None
            self.busy_lanes.discard(name)
        self._let_in(lane, now)
        if not lane.unfinished:
            del self._lanes[name]

    def _let_in(self, lane: Lane, now: int) -> None:
        if lane.holder is None:
            for waiter in lane.first_waiters():
                self.put(waiter, now)

    def may_be_ready(self, handlers: Collection[str]) -> bool:
        """Whether a queue of these handlers holds anything, be it used up."""
        return any(queue and handler in handlers for handler, queue in self._ready.items())

    def ready(self, handlers: Collection[str], limit: int, aged_at: int, closed: Collection[str]) -> list[RunRecord]:
        """Return up to `limit` pending runs of these handlers that wait for nothing but a worker.

        Args:
            aged_at: what has been due since then comes first.
            closed: resources: runs that need one of these are left out.
        """
        queues = [self._ready[handler] for handler in handlers if handler in self._ready]
        while queues:
            runs = [run for queue in queues for run in queue.peek(limit, aged_at, closed)]
            if len(queues) > 1:
                runs = in_turn(runs, limit, aged_at)
            blocked = [run for run in runs if run.lane in self.busy_lanes and not run.holds_lane]
            if not blocked:
                return runs
            for run in blocked:  # its lane was taken while it waited for a worker
                self.put(run, run.due_at)
        return []
