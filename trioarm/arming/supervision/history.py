"""History: what a partition was, from entries of the audit in their order, in bounded memory for years of them. Pure.

The order is that of the audit. An entry that seems older than the one before it tells that the clock was set back:
what came before it happened before it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import attrs

from trioarm.arming.audit import OBSERVED, AuditEntry
from trioarm.arming.model import Reported

STATES: Final = frozenset(Reported) - {Reported.ARMING, Reported.DISARMING, Reported.UNKNOWN, Reported.UNAVAILABLE}
CHANGES_MAX: Final = 100_000  # of one partition in one report; the audit keeps an hour's flapping to a few


@attrs.frozen(slots=True)
class Turn:
    """A partition became something.

    Args:
        at: when; microseconds since 1970 UTC.
        state: what it became.
        by: who made it so; None when nobody knows.
    """

    at: int
    state: Reported
    by: str | None


@attrs.define(slots=True)
class History:
    """What one partition was in a span of time.

    Args:
        start: where the span begins.
        until: where it ends, not included.
        first: what it was at the start; None while nobody knows.
        turns: what it became in the span, in order.
    """

    start: int
    until: int
    first: Turn | None = None
    turns: list[Turn] = attrs.field(factory=list)
    _beyond: Turn | None = attrs.field(default=None, init=False)
    _heard: bool = attrs.field(default=False, init=False)

    def add(self, at: int, entry: AuditEntry) -> None:
        """Take in the next entry of the audit about the partition."""
        since = at if entry.verb != OBSERVED or entry.since_at is None else min(at, entry.since_at)
        if entry.before in STATES:
            self._was(at, since, entry.before)
        if entry.after in STATES:
            self._became(Turn(since, entry.after, entry.actor))

    def _was(self, at: int, since: int, before: Reported) -> None:
        """Heed what an entry says of the time before it: where that is no news, nothing was missed.

        The first of all says it of a span that it lies in, not of one that was over long before anybody looked.
        """
        last = self._last
        if last is None and not self._heard and self.first is None:
            if since < self.until:
                self.first = Turn(self.start, before, None)
                self._heard = True
        elif last is not None and last.state is not before:
            self._became(Turn(at, before, None))

    def _became(self, turn: Turn) -> None:
        self._heard = True
        last = self._last
        if last is not None and last.state is turn.state:
            return
        if turn.at >= self.until:
            self._beyond = turn
            return
        if self._beyond is not None:
            beyond, self._beyond = self._beyond, None
            self._place(attrs.evolve(beyond, at=turn.at))
        self._place(turn)

    def _place(self, turn: Turn) -> None:
        for index in range(len(self.turns) - 1, -1, -1):
            if self.turns[index].at <= turn.at:
                break
            self.turns[index] = attrs.evolve(self.turns[index], at=turn.at)
        if turn.at <= self.start:
            self.turns.clear()
            self.first = turn
        elif len(self.turns) < CHANGES_MAX:
            self.turns.append(turn)

    @property
    def _last(self) -> Turn | None:
        return self._beyond or (self.turns[-1] if self.turns else self.first)

    def at(self, instant: int) -> Reported | None:
        """Return what it was at an instant of the span; None when nobody knows."""
        index = bisect_right(self.turns, instant, key=lambda turn: turn.at)
        turn = self.turns[index - 1] if index else self.first
        return None if turn is None else turn.state

    def between(self, start: int, until: int) -> list[Turn]:
        """Return what it became in a part of the span: from `start`, before `until`."""
        return [turn for turn in self.turns if start <= turn.at < until]
