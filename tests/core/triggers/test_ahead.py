"""What lies ahead of something has an occurrence for each of its own, so much earlier, and no other (S4.2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidSchedule, InvalidTrigger
from trioarm.core.forms import Around, read_trigger
from trioarm.core.instants import EARLIEST, LATEST, MINUTE, SECOND, microseconds, parse_instant
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import After, Ahead, Calendar, Cron, Events, Every, Exclude, Once, Trigger, Weekly, own_zone
from trioarm.core.triggers.refreshing import events_of, refreshed

NIGHT = parse_instant("2026-11-23T21:30:00Z")
NIGHTLY = Weekly(["mon", "tue"], "22:30", "Europe/Prague")
INNER = st.sampled_from([NIGHTLY, Cron("*/7 2 * * *", "Europe/Prague"), Every(0.7), Once(NIGHT)])


@settings(max_examples=200, deadline=None)
@given(inner=INNER, by_s=st.floats(0.001, 31 * 86_400.0), at=st.integers(EARLIEST, LATEST))
def test_it_is_the_other_one_moved(inner: Trigger, by_s: float, at: int) -> None:
    """Forwards, backwards and counted, whatever the time between."""
    ahead, by = Ahead(inner, by_s), microseconds(by_s)
    following = ahead.next_after(at)
    assert following == (None if (theirs := inner.next_after(at + by)) is None else theirs - by)
    earlier = ahead.previous_before(at)
    assert earlier is None or (earlier < at and inner.next_after(earlier + by - 1) == earlier + by)
    if following is not None:
        assert ahead.previous_before(following + 1) == following
        assert ahead.count(at, following) == 1
        assert ahead.shift_at(following) == inner.shift_at(following + by)


def test_a_quarter_of_an_hour_before_is_one_on_any_day() -> None:
    """Elapsed time, also where a clock is set forward in between: 15 minutes before 03:00 it is 01:45."""
    trigger = Ahead(Cron("0 3 29 3 *", "Europe/Prague"), 900)
    spring = parse_instant("2026-03-29T03:00:00+02:00")
    assert trigger.next_after(spring - 86_400 * SECOND) == spring - 15 * MINUTE
    assert trigger.describe() == "15 min ahead of what happens on day 29 of mar at 03:00 in Europe/Prague"
    assert own_zone(trigger) == own_zone(Cron("0 3 * * *", "Europe/Prague"))
    assert own_zone(Ahead(Every(60.0), 1.0)) is None


def test_nothing_lies_before_the_first_year() -> None:
    """What would be ahead of the first instants there are is left out."""
    trigger = Ahead(Every(60.0, anchor=EARLIEST), 90.0)
    assert trigger.next_after(EARLIEST - 10 * MINUTE) == EARLIEST + 30 * SECOND
    assert trigger.previous_before(EARLIEST + 30 * SECOND) is None
    assert trigger.count(EARLIEST - 10 * MINUTE, EARLIEST + 30 * SECOND) == 1
    assert Ahead(Once(LATEST), 1.0).previous_before(LATEST + MINUTE) == LATEST - SECOND


@pytest.mark.parametrize(
    ("of", "by_s", "message"),
    [
        (After(60.0), 1.0, "ahead: when a fixed delay is over depends on the run before"),
        (NIGHTLY, 0.0, r"ahead by 0.0 seconds: it must lie between 0.001 and 2678400"),
        (NIGHTLY, float("nan"), "ahead by nan seconds"),
    ],
)
def test_what_cannot_be_foreseen_is_refused(of: Trigger, by_s: float, message: str) -> None:
    """In one line that says why."""
    with pytest.raises(InvalidTrigger, match=f"^{message}"):
        Ahead(of, by_s)


def test_its_calendars_are_found_and_refreshed() -> None:
    """Those that what it lies ahead of knows."""
    old, new = Events("school", [(0, MINUTE)], MINUTE), Events("school", [(MINUTE, 2 * MINUTE)], 2 * MINUTE)
    trigger = Ahead(Calendar(old), 60.0)
    assert events_of(trigger) == {"school": old}
    assert refreshed(trigger, {"school": new}) == Ahead(Calendar(new), 60.0)


def test_what_an_empty_calendar_takes_away_may_come_back() -> None:
    """Excluded by a calendar, whatever lies around that: it is no trigger that never happens."""
    everything = Calendar(Events("all", [(NIGHT, NIGHT + MINUTE)], NIGHT + MINUTE))
    trigger = Exclude([Once(NIGHT - 60 * SECOND), Ahead(everything, 60.0)])
    assert trigger.next_after(0) is None


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ({"ahead": 5}, ["schedule.ahead: 5 is no table"]),
        ({"ahead": {"of": {"every": "1h"}}}, ['schedule.ahead.by: is missing: say how far ahead, like by = "15m"']),
        ({"ahead": {"by": "1h"}}, ["schedule.ahead.of: is missing: say ahead of what, like of = { cron = "]),
        ({"ahead": {"of": {"every": "1h"}, "by": "1h", "x": 1}}, ["schedule.ahead.x: unknown key"]),
        ({"ahead": {"of": {"every": "1h", "x": 1}, "by": "1h"}}, ["schedule.ahead.of.x: unknown key"]),
        ({"ahead": {"of": {"after": "1h"}, "by": "1h"}}, ["schedule.ahead: ahead: when a fixed delay is over depends"]),
        ({"ahead": {"of": {"every": "1h"}, "by": "90d"}}, ["schedule.ahead: ahead by 7776000.0 seconds"]),
        ({"ahead": {"of": 7, "by": "1h"}}, ["schedule.ahead.of: 7 is no table"]),
        ({"ahead": {"of": {"every": "1h"}, "by": "1h"}, "gap": "skip"},
         ["schedule.gap: what ahead is of has its own gap: say it there"]),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_named(form: dict[str, Any], lines: list[str]) -> None:
    """Each mistake where it lies, and nothing is guessed."""
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(form, "schedule", problems)
    read_trigger(table, Around())
    table.close()
    assert len(problems.lines) == len(lines), problems.lines
    for line, begins in zip(problems.lines, lines, strict=True):
        assert line.startswith(begins), line


def test_what_lies_too_deep_is_refused() -> None:
    """Nobody can tell any more when it happens."""
    form: dict[str, Any] = {"every": "1h"}
    for _ in range(9):
        form = {"ahead": {"of": form, "by": "1h"}}
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    read_trigger(Table(form, "schedule", problems), Around())
    [line] = problems.lines
    assert line.endswith("ahead: lies inside 8 others: say it more simply")
