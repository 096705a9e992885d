"""Report: each day of each partition: what was expected of it, what it was, who did that, and what went wrong. Pure.

It is made from the audit, as it is read, and from what is declared now: a schedule that was changed since is not what
it was then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

import attrs

from trioarm.arming.audit import DONE, LEFT, SCHEDULE, AuditEntry
from trioarm.arming.compile import DEPENDS
from trioarm.arming.model import Hours, Reported, Target
from trioarm.arming.supervision.expected import Expected, Judged, expected_of, in_order, is_closed, judged
from trioarm.arming.supervision.history import History, Turn
from trioarm.arming.wanted import wanted_by
from trioarm.core.alerts import AlertState, StoredAlert
from trioarm.core.errors import UnknownRun
from trioarm.core.instants import DAY
from trioarm.core.run import parse_run_id
from trioarm.core.schedule import Schedule
from trioarm.core.triggers.civil import Fold, Gap, resolve
from trioarm.core.triggers.zones import Zone

AROUND: Final = DAY  # what is looked at beside the days themselves: what happened early, or late
BECAME_MAX: Final = 100_000  # occurrences of one report that conditions, or people, had their say in
FAILED: Final = ("arm_failed", "disarm_failed")
OVERRIDDEN: Final = ("arm_overridden", "disarm_overridden")


@attrs.frozen(slots=True, kw_only=True)
class Day:
    """One local day of one partition.

    Args:
        partition: by name.
        number: of the day, since 1970.
        start: its first instant.
        until: the first one after it.
        first: what the partition was until its beginning; None when nobody knows.
        turns: what it became, in order.
        expected: what was expected, and what became of that.
        open_us: how long it was open, as far as is known and the day is over.
        unknown_us: how long nobody knows what it was, likewise.
        failed: entries of the audit about what could not be done.
        overridden: entries about what gave way to a person.
        alerts: those raised.
    """

    partition: str
    number: int
    start: int
    until: int
    first: Reported | None
    turns: Sequence[Turn]
    expected: Sequence[Judged]
    open_us: int
    unknown_us: int
    failed: int
    overridden: int
    alerts: Sequence[StoredAlert]

    @property
    def opened(self) -> Turn | None:
        """By what it was opened first; None when it was not."""
        return next(self._into(closes=False), None)

    @property
    def closed(self) -> Turn | None:
        """By what it was closed last; None when it was not."""
        return next(reversed(list(self._into(closes=True))), None)

    def of(self, *, closes: bool) -> list[Judged]:
        """Return what became of the closings, or openings, that were expected."""
        return [one for one in self.expected if one.expected.closes is closes]

    @property
    def unseen(self) -> int:
        """How many of its alerts nobody has acknowledged, and are not over."""
        return sum(one.state is AlertState.OPEN for one in self.alerts)

    def _into(self, *, closes: bool) -> Iterator[Turn]:
        before = None if self.first is None else is_closed(self.first)
        for turn in self.turns:
            if is_closed(turn.state) is closes and before is not closes:
                yield turn
            before = is_closed(turn.state)


@attrs.define(slots=True)
class _Counted:
    failed: list[int] = attrs.field(factory=list)
    overridden: list[int] = attrs.field(factory=list)


class Report:
    """Takes in the audit, entry by entry, and says what the days of a partition were.

    Args:
        partitions: the local time of each, by name.
        hours: when they are expected to open and close.
        schedules: those that arm and disarm them, as the engine runs them.
        first: number of the first day, since 1970.
        days: how many days.
        now: later than that nothing is known.
    """

    def __init__(
        self,
        partitions: Mapping[str, Zone],
        hours: Iterable[Hours],
        schedules: Iterable[Schedule],
        *,
        first: int,
        days: int,
        now: int,
    ) -> None:
        self._zones = partitions
        self._hours = tuple(hours)
        self._schedules = tuple(schedules)
        self._depending = {schedule.name for schedule in self._schedules if DEPENDS in schedule.args}
        self._numbers = range(first, first + days)
        self._now = now
        self.histories = {name: History(*self._span(name)) for name in partitions}
        self._counted = {name: _Counted() for name in partitions}
        self._became: dict[tuple[str, int], Target | None] = {}  # of what conditions and people had their say in
        self._postponed: dict[tuple[str, int], int] = {}  # when those may start

    def add(self, at: int, entry: AuditEntry) -> None:
        """Take in the next entry of the audit; those about other partitions are none of its business."""
        history = self.histories.get(entry.partition)
        if history is None:
            return
        history.add(at, entry)
        self._note(entry)
        if history.start <= at < history.until:
            counted = self._counted[entry.partition]
            if entry.verb in FAILED:
                counted.failed.append(at)
            elif entry.verb in OVERRIDDEN:
                counted.overridden.append(at)

    def _note(self, entry: AuditEntry) -> None:
        """Remember what a condition made of an occurrence: nothing, or something else."""
        if entry.actor.removeprefix(SCHEDULE) not in self._depending or len(self._became) >= BECAME_MAX:
            return
        with suppress(UnknownRun):
            name, nominal_at, _, _ = parse_run_id(entry.correlation)
            if entry.verb.endswith(LEFT):
                self._became[name, nominal_at] = None
            elif entry.verb in DONE and entry.after is not None and entry.after.value in set(Target):
                self._became[name, nominal_at] = Target(entry.after)

    def _was_left(self, one: Expected) -> bool:
        occurrence = one.name, one.at
        return occurrence in self._became and self._became[occurrence] is None

    def _moved(self, one: Expected) -> Expected:
        """Return what is expected where people postponed it: what is done at the time that was declared is on time,
        too."""
        at = self._postponed.get((one.name, one.at), one.at)
        return attrs.evolve(one, at=at, early=one.early + at - one.at)

    def passed(self, schedule: str, nominal_at: int) -> None:
        """Take in that an occurrence was skipped, or gave its place to another one: nobody expects anything of it."""
        if len(self._became) < BECAME_MAX:
            self._became[schedule, nominal_at] = None

    def postponed(self, schedule: str, nominal_at: int, until_at: int | None) -> None:
        """Take in that an occurrence was postponed to an instant, or is no more: then it is expected."""
        if until_at is None:
            self._postponed.pop((schedule, nominal_at), None)
        elif len(self._postponed) < BECAME_MAX:
            self._postponed[schedule, nominal_at] = until_at

    def found(self, partition: str, state: Reported, seen_at: int) -> None:
        """Take in what a look found, where the audit says nothing of a partition."""
        history = self.histories[partition]
        if history.first is None and not history.turns and seen_at < history.until:
            turn = Turn(max(seen_at, history.start), state, None)
            history.first, history.turns = (turn, []) if seen_at <= history.start else (None, [turn])

    def days(self, partition: str, alerts: Sequence[StoredAlert] = ()) -> list[Day]:
        """Return the days of a partition, in order.

        Args:
            alerts: about it, of any time.
        """
        history = self.histories[partition]
        expected = expected_of(partition, self._hours, self._schedules, history.start, history.until)
        expected = [self._moved(one) for one in expected if not self._was_left(one)]
        outcomes = judged(sorted(expected, key=in_order), history, self._now)
        return [self._day(partition, number, outcomes, alerts) for number in self._numbers]

    def wanted(self, partition: str, at: int) -> Target | None:
        """Return what the declared schedules want a partition to be at an instant."""
        return wanted_by(self._schedules, partition, at, self._became, self._postponed)

    def wants_closed(self, partition: str, at: int) -> bool | None:
        """Return whether a partition should be closed at an instant, as its hours say; None where they say nothing."""
        latest: tuple[int, bool] | None = None
        for hours in self._hours:
            for closes, trigger in ((False, hours.opens), (True, hours.closes)):
                last = None if trigger is None or hours.partition != partition else trigger.previous_before(at + 1)
                if last is not None and (latest is None or (last, closes) > latest):
                    latest = last, closes
        return None if latest is None else latest[1]

    def _day(self, name: str, number: int, outcomes: Sequence[Judged], alerts: Sequence[StoredAlert]) -> Day:
        start, until = day_bounds(self._zones[name], number)
        history, counted = self.histories[name], self._counted[name]
        open_us, unknown_us = _lengths(history, start, min(until, self._now))
        return Day(
            partition=name,
            number=number,
            start=start,
            until=until,
            first=history.at(start - 1),
            turns=history.between(start, until),
            expected=[one for one in outcomes if start <= one.expected.at < until],
            open_us=open_us,
            unknown_us=unknown_us,
            failed=sum(start <= at < until for at in counted.failed),
            overridden=sum(start <= at < until for at in counted.overridden),
            alerts=[one for one in alerts if one.alert is not None and start <= one.alert.raised_at < until],
        )

    def _span(self, name: str) -> tuple[int, int]:
        zone = self._zones[name]
        start, until = day_bounds(zone, self._numbers[0])[0], day_bounds(zone, self._numbers[-1])[1]
        return start - AROUND, until + AROUND


def day_bounds(zone: Zone, number: int) -> tuple[int, int]:
    """Return the first instant of a local day, and the first after it; days in between have 23 to 25 hours."""
    start, until = (resolve(zone, day * DAY, Gap.RUN_AFTER, Fold.FIRST)[0] for day in (number, number + 1))
    return start, until


def _lengths(history: History, start: int, until: int) -> tuple[int, int]:
    """Return for how long a partition was open, and for how long nobody knows, in a part of its history."""
    found = {Reported.DISARMED: 0, None: 0}
    at, state = start, history.at(start)
    for turn in history.between(start + 1, until):
        found[state] = found.get(state, 0) + turn.at - at
        at, state = turn.at, turn.state
    found[state] = found.get(state, 0) + max(0, until - at)
    return found[Reported.DISARMED], found[None]
