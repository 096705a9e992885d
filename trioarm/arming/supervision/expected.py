"""Expected: when a partition should open and close, and what became of that by what it was (A4.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final

import attrs

from trioarm.arming.model import Hours, Reported, Target
from trioarm.arming.supervision.history import History, Turn
from trioarm.core.instants import DAY, MINUTE, microseconds
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Trigger

EARLY: Final = 30 * MINUTE  # how long before a schedule's instant a partition is opened or closed on time
LATE: Final = 15 * MINUTE  # and how long after it
EXPECTED_MAX: Final = 10_000  # of one partition in one report


class Outcome(StrEnum):
    """What became of an expected opening or closing."""

    ON_TIME = "on time"
    EARLY = "early"
    LATE = "late"
    FAILED = "failed"  # it did not, before the next of them
    ALREADY = "already"  # it was so all the time
    COMING = "coming"  # its window has not ended
    UNKNOWN = "unknown"  # nobody knows what the partition was


@attrs.frozen(slots=True, kw_only=True)
class Expected:
    """One expected opening or closing.

    Args:
        at: when; microseconds since 1970 UTC.
        closes: whether it is to close; else to open.
        name: of the hours, or the schedule, that say so.
        early: how long before that it is on time already.
        late: how long after that it is on time still.
    """

    at: int
    closes: bool
    name: str
    early: int
    late: int


@attrs.frozen(slots=True, kw_only=True)
class Judged:
    """What became of one.

    Args:
        expected: what was expected.
        outcome: what became of it.
        turn: what brought it about; None where nothing did.
    """

    expected: Expected
    outcome: Outcome
    turn: Turn | None = None

    @property
    def off(self) -> int | None:
        """How long after its instant it happened, in microseconds, negative before it; None where it did not."""
        return None if self.turn is None else self.turn.at - self.expected.at


def expected_of(
    partition: str, hours: Iterable[Hours], schedules: Iterable[Schedule], start: int, until: int
) -> list[Expected]:
    """Return what is expected of a partition in a span of time, in order.

    Its hours say so; where it has none, the schedules that arm and disarm it do.
    """
    found = [one for each in hours if each.partition == partition for one in _of_hours(each, start, until)]
    if not any(each.partition == partition for each in hours):
        found = [one for each in schedules for one in _of_schedule(each, partition, start, until)]
    return sorted(found, key=in_order)[:EXPECTED_MAX]


def in_order(one: Expected) -> tuple[int, bool, str]:
    """Return by what such are sorted: when, and at one instant what opens first."""
    return one.at, one.closes, one.name


def _of_hours(hours: Hours, start: int, until: int) -> Iterator[Expected]:
    early, late = microseconds(hours.early_s), microseconds(hours.late_s)
    for closes, trigger in ((False, hours.opens), (True, hours.closes)):
        if trigger is not None:
            for at in _instants(trigger, start, until):
                yield Expected(at=at, closes=closes, name=hours.name, early=early, late=late)


def _of_schedule(schedule: Schedule, partition: str, start: int, until: int) -> Iterator[Expected]:
    if not schedule.enabled or schedule.args.get("partition") != partition or "target" not in schedule.args:
        return
    first = start if schedule.start_at is None else max(start, schedule.start_at)
    last = until if schedule.end_at is None else min(until, schedule.end_at + 1)
    closes = schedule.args["target"] != Target.DISARMED
    for at in _instants(schedule.trigger, first, last):
        yield Expected(at=at, closes=closes, name=schedule.name, early=EARLY, late=LATE)


def _instants(trigger: Trigger, start: int, until: int) -> Iterator[int]:
    at = trigger.next_after(start - 1)
    count = 0
    while at is not None and at < until and count < EXPECTED_MAX:
        yield at
        count += 1
        at = trigger.next_after(at)


def judged(expected: Sequence[Expected], history: History, now: int) -> list[Judged]:
    """Return what became of each that is expected, in order.

    Args:
        expected: in order.
        history: what the partition was, at least from a day before the first to a day after the last.
        now: nothing is known of what comes later.
    """
    found = []
    for index, one in enumerate(expected):
        since = _since(one, expected[index - 1] if index else None)
        until = next((each.at for each in expected[index + 1 :] if each.at > one.at), one.at + DAY)
        found.append(_judge(one, history, since, until, now))
    return found


def _since(one: Expected, before: Expected | None) -> int:
    """Return from when on a turn may belong to what is expected: of two closings in a row, to the nearer one."""
    if before is None:
        return one.at - DAY
    return before.at if before.closes is not one.closes else (before.at + one.at) // 2


def _judge(one: Expected, history: History, since: int, until: int, now: int) -> Judged:
    by_end = min(one.at + one.late, max(until - 1, one.at), now)
    state = history.at(by_end)
    if now < one.at + one.late and (state is None or is_closed(state) is not one.closes):
        return Judged(expected=one, outcome=Outcome.COMING)
    if state is None:
        return Judged(expected=one, outcome=Outcome.UNKNOWN)
    if is_closed(state) is one.closes:
        turns = [turn for turn in _into(history, one.closes) if since <= turn.at <= by_end]
        if not turns:
            return Judged(expected=one, outcome=Outcome.ALREADY)
        outcome = Outcome.EARLY if turns[-1].at < one.at - one.early else Outcome.ON_TIME
        return Judged(expected=one, outcome=outcome, turn=turns[-1])
    later = next((turn for turn in _into(history, one.closes) if by_end < turn.at < min(until, now + 1)), None)
    if later is None:
        return Judged(expected=one, outcome=Outcome.FAILED)
    return Judged(expected=one, outcome=Outcome.LATE, turn=later)


def _into(history: History, closes: bool) -> Iterator[Turn]:
    """Yield the turns by which a partition closed, or opened; from one armed state to another it does neither."""
    before = None if history.first is None else is_closed(history.first.state)
    for turn in history.turns:
        closed = is_closed(turn.state)
        if closed is closes and closed is not before:
            yield turn
        before = closed


def is_closed(state: Reported) -> bool:
    """Whether a partition is closed: anything but disarmed, for what was armed is so while it is in alarm."""
    return state is not Reported.DISARMED
