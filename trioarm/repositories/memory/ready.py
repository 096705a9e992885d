"""Runs that wait for nothing but a worker, and runs that wait for their lane: the queues behind the due index.

Entries are never searched for: one whose run has moved on is recognised by its token, its instant, its handler or its
priority and passed over.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Final

import attrs

from trioarm.core.resources import needs_of
from trioarm.core.run import BACKFILL_RANK, RunRecord, behind
from trioarm.core.states import State, WaitingFor

_Entry = tuple[int, int, int, int, RunRecord]  # (*urgency, token, run); one tuple, to be light on the collector
_Kind = tuple[str, tuple[str, ...]]  # a handler, and what its runs need
_SLACK: Final = 1_024  # used-up entries kept before they are swept away, so that taking is O(1) amortised


def urgency(run: RunRecord) -> tuple[int, int, int]:
    """Return the order in which runs start: most urgent, then longest due, then first decided."""
    return (run.rank, run.due_at, run.run_id)


def in_turn(runs: Iterable[RunRecord], limit: int, aged_at: int) -> list[RunRecord]:
    """Return the first of some runs: the longest due of those that have been due since `aged_at`, then by urgency."""

    def turn(run: RunRecord) -> tuple[int, ...]:
        aged = run.due_at <= aged_at and run.rank < BACKFILL_RANK
        return (0, run.due_at, run.run_id) if aged else (1, *urgency(run))

    return sorted(runs, key=turn)[:limit]


def _may_begin(run: RunRecord, closed: Collection[str]) -> bool:
    return not closed or not needs_of(run.schedule.schedule, closed)


def _entry(run: RunRecord) -> _Entry:
    return (run.rank, run.due_at, run.run_id, run.token, run)


def _kind(run: RunRecord) -> _Kind:
    return run.schedule.schedule.handler, run.schedule.schedule.resources


class ReadyQueue:
    """Runs of one handler that could start now, in order of urgency."""

    __slots__ = ("_entries", "_handler", "_head", "_sweep_at")

    def __init__(self, handler: str) -> None:
        self._handler = handler
        self._entries: list[_Entry] = []
        self._head = 0
        self._sweep_at = _SLACK

    def __len__(self) -> int:
        """Return how many entries are held, used-up ones included."""
        return len(self._entries)

    def __bool__(self) -> bool:
        """Whether it may hold a run."""
        return self._head < len(self._entries)

    def put(self, run: RunRecord) -> None:
        """Add a run that may start; runs mostly come in order, so this is an append."""
        if len(self._entries) >= self._sweep_at:  # nobody may ever look: nobody here knows the handler
            self._sweep()
        entry, entries = _entry(run), self._entries
        if not entries or entries[-1] <= entry:
            entries.append(entry)
        else:
            insort(entries, entry, lo=self._head)

    def peek(self, limit: int, aged_at: int, closed: Collection[str]) -> list[RunRecord]:
        """Return up to `limit` runs that still wait here, in turn; they stay until they move on.

        Args:
            aged_at: what has been due since then comes first.
            closed: resources: runs that need one of these are left out.
        """
        found = self._most_urgent(limit, closed)
        if not found or self._entries[-1][0] == self._entries[self._head][0]:
            return found  # all are equally urgent, as mostly
        runs = {run.run_id: run for run in (*found, *self._aged(limit, aged_at, closed))}
        return in_turn(runs.values(), limit, aged_at)

    def _aged(self, limit: int, aged_at: int, closed: Collection[str]) -> Iterator[RunRecord]:
        """Yield up to `limit` runs of each urgency that have been due since then."""
        entries, first = self._entries, self._head
        while first < len(entries):
            urgent = entries[first][0]
            upto = bisect_left(entries, (urgent, aged_at + 1), first)
            waiting = (entry[4] for entry in islice(entries, first, upto) if self._waits(entry))
            yield from islice((run for run in waiting if _may_begin(run, closed)), limit)
            first = bisect_left(entries, (urgent + 1,), first)

    def _most_urgent(self, limit: int, closed: Collection[str]) -> list[RunRecord]:
        found: list[RunRecord] = []
        entries, last, used_up = self._entries, None, 0
        for index in range(self._head, len(entries)):
            entry = entries[index]
            run = entry[4]
            if run is not last and self._waits(entry):  # put twice, a run's entries are neighbours
                last = run
                if closed and not _may_begin(run, closed):
                    continue
                found.append(run)
                if len(found) == limit:
                    break
            elif index == self._head:
                self._head += 1
            else:
                used_up += 1
        if used_up > _SLACK:
            self._sweep()
        elif self._head > _SLACK and self._head * 2 > len(entries):
            del entries[: self._head]
            self._head = 0
        return found

    def _sweep(self) -> None:
        self._entries[:] = filter(self._waits, self._entries)
        self._head = 0
        self._sweep_at = 2 * len(self._entries) + _SLACK

    def _waits(self, entry: _Entry) -> bool:
        rank, due_at, _, token, run = entry
        return (
            run.state is State.PENDING
            and run.token == token
            and run.due_at == due_at
            and run.waiting_for is WaitingFor.HANDLER
            and run.schedule.schedule.handler == self._handler
            and run.rank == rank
        )


@attrs.define(slots=True, eq=False)
class Lane:
    """A serial queue: who holds it, who waits for it.

    Args:
        unfinished: its runs with steps to go, by number.
        holder: the run that keeps everyone else out, from its first claim to its final state (S5.5).
    """

    unfinished: dict[int, RunRecord] = attrs.Factory(dict)
    holder: RunRecord | None = None
    _waiting: dict[_Kind, list[_Entry]] = attrs.Factory(dict)

    def wait(self, run: RunRecord) -> None:
        """Queue a run that could start but for the lane."""
        run.waiting_for = WaitingFor.LANE if run.lane is None else behind(run.lane)
        heappush(self._waiting.setdefault(_kind(run), []), _entry(run))

    def first_waiters(self) -> list[RunRecord]:
        """Take the run whose turn it is, of each handler and of those that need the same: one without workers,
        or whose resource is closed, keeps no other from starting (S2.6, S6.6)."""
        found = []
        for kind, queue in list(self._waiting.items()):
            while queue:
                entry = heappop(queue)
                if self._waits(entry, kind):
                    found.append(entry[4])
                    break
            if not queue:
                del self._waiting[kind]
        return found

    @staticmethod
    def _waits(entry: _Entry, kind: _Kind) -> bool:
        rank, due_at, _, token, run = entry
        return (
            run.state is State.PENDING
            and run.token == token
            and run.due_at == due_at
            and (run.waiting_for is WaitingFor.LANE or run.waiting_for is WaitingFor.OVERLAP)
            and _kind(run) == kind
            and run.rank == rank
        )
