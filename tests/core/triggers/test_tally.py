"""Counting what is combined: by arithmetic where it can tell, and never for longer than a start may take (S5.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from time import process_time

import pytest

from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import DAY, HOUR, SECOND, instant
from trioarm.core.ranges import AT_LEAST, not_run
from trioarm.core.record import ScheduleRecord
from trioarm.core.schedule import Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import Cron, Every, Exclude, Intersect, RRule, Trigger, Union, Weekly
from trioarm.core.triggers.algebra import Looks, tally

START = instant(datetime(2026, 3, 27, 21, tzinfo=UTC))  # the clocks of Europe change two days later
YEAR = 365 * DAY
FEW = 300  # instants that may be looked at; a count by itself looks at more
SECONDS = Cron("* * * * * *", timezone="Europe/Prague")
MINUTES = Cron("* * * * *")
WORKDAYS = on_weekdays(("mon", "tue", "wed", "thu", "fri"), "Europe/Prague")


def by_stepping(trigger: Trigger, after: int, until: int) -> int:
    """Return what a count must be, one by one."""
    count, at = 0, trigger.next_after(after)
    while at is not None and at <= until:
        count, at = count + 1, trigger.next_after(at)
    return count


EXACT = {
    "dense or sparse": Union((SECONDS, Weekly("fri", at="23:00"), Every(0.75 * 3_600.0))),
    "the same twice": Union((SECONDS, SECONDS)),
    "coinciding": Union((Every(1.0), MINUTES, Every(90.5))),
    "only on days": Intersect((SECONDS, WORKDAYS)),
    "but on days": Exclude((SECONDS, WORKDAYS)),
    "but at minutes": Exclude((SECONDS, MINUTES)),
    "but on days and at minutes": Exclude((SECONDS, WORKDAYS, MINUTES, Every(3_600.0))),
    "only at minutes": Intersect((SECONDS, MINUTES)),
    "only on days, of a union": Intersect((Union((SECONDS, MINUTES)), WORKDAYS)),
}


@pytest.mark.parametrize("trigger", EXACT.values(), ids=EXACT)
def test_many_are_counted_as_one_by_one(trigger: Trigger) -> None:
    """More than anybody looks at: whole stretches by arithmetic, less or more what coincides."""
    until = START + HOUR
    assert by_stepping(SECONDS, START, until) > 10 * FEW
    for after in (START, START + HOUR // 2 - SECOND):
        assert tally(trigger, after, until, Looks(FEW)) == (by_stepping(trigger, after, until), False)


DENSE = {
    "or": Union((Every(1.0), SECONDS, Every(0.5))),
    "and": Intersect((Every(1.0), Every(3.0))),
    "but": Exclude((Every(1.0), Every(2.0))),
    "but of a union": Exclude((Every(1.0), Union((Every(2.0), Every(3.0))))),
    "many": Union(tuple(Every(1.0 + number) for number in range(16))),
}


@pytest.mark.parametrize("trigger", DENSE.values(), ids=DENSE)
def test_what_arithmetic_cannot_tell_is_at_least_so_many(trigger: Trigger) -> None:
    """Two that both have more than can be looked at: never more than there are, and said to be no exact number."""
    until = START + HOUR // 2
    count, may_be_more = tally(trigger, START, until, Looks(FEW))
    assert may_be_more
    assert 0 <= count <= by_stepping(trigger, START, until)


YEARS = {
    "every": Every(1.0),
    "cron": SECONDS,
    "rrule": RRule("FREQ=SECONDLY", start=datetime.fromisoformat("2020-01-01")),
    "few": Union((SECONDS, Cron("0 3 * * *"))),
    **EXACT,
    **DENSE,
}


@pytest.mark.parametrize("trigger", YEARS.values(), ids=YEARS)
def test_a_year_of_seconds_is_counted_in_less_than_a_start_takes(trigger: Trigger) -> None:
    """However many there are and however they are combined."""
    began = process_time()
    tally(trigger, START, START + YEAR, Looks())
    assert process_time() - began < 2.0


def test_a_row_says_when_it_stands_for_more() -> None:
    """It is one row, with both ends, and in words that its number is the least; a row that is exact says nothing."""
    for trigger, words in ((DENSE["or"], AT_LEAST), (EXACT["but at minutes"], None)):
        first, last = trigger.next_after(START), trigger.previous_before(START + 12 * HOUR)
        assert first is not None
        assert last is not None
        record = ScheduleRecord(1, Schedule("beat", trigger, handler="call"), 1, START, first, START)
        row = not_run(record, trigger, (first, last), State.MISSED, Reason.TOO_LATE, last + 1)
        assert (row.nominal_at, row.last_at, row.error) == (first, last, words)
        assert row.count >= 12 * 3_600 - 12 * 60
