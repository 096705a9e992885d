"""Calendars: an occurrence at each event, and the time during events; forms that carry the events with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.codec import Defaults, structure_schedule, unstructure_schedule
from trioarm.core.errors import InvalidInstant, InvalidSchedule, InvalidTrigger
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.instants import EARLIEST, HOUR, LATEST, MINUTE, SECOND, parse_instant
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import Calendar, Cron, Events, EventSpans, Every, Exclude, Intersect, Once, Trigger, Union
from trioarm.core.triggers.calendar import EVENTS_MAX

BEGIN = parse_instant("2026-03-01T00:00:00Z")
SCHOOL = Events("school", [(BEGIN + 8 * HOUR, BEGIN + 15 * HOUR), (BEGIN + 32 * HOUR, BEGIN + 36 * HOUR)], LATEST)

# Minutes are few, so that events meet, touch, hold each other and coincide.
some_spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1])), max_size=12
)
minutes = st.integers(-5, 80)


def _events(spans: list[tuple[int, int]]) -> Events:
    return Events("drawn", [(start * MINUTE, end * MINUTE) for start, end in spans], 0)


@given(some_spans, st.sampled_from(["start", "end"]), st.integers(-7, 7), minutes, minutes)
@settings(max_examples=200, deadline=None)
def test_an_occurrence_is_an_edge_of_an_event(
    spans: list[tuple[int, int]], edge: str, offset: int, at: int, until: int
) -> None:
    """Each distinct edge, moved by the offset, once: forwards, backwards and counted."""
    trigger = Calendar(_events(spans), edge=edge, offset_s=offset * 60.0)
    edges = {(start if edge == "start" else end) + offset for start, end in spans}
    later, earlier = [one for one in edges if one > at], [one for one in edges if one < at]
    assert trigger.next_after(at * MINUTE) == (min(later) * MINUTE if later else None)
    assert trigger.previous_before(at * MINUTE) == (max(earlier) * MINUTE if earlier else None)
    assert trigger.count(at * MINUTE, until * MINUTE) == sum(1 for one in edges if at < one <= until)
    assert trigger.shift_at(at * MINUTE) == 0


@given(some_spans, st.integers(-5 * 60, 80 * 60))
@settings(max_examples=200, deadline=None)
def test_spans_are_the_time_during_events(spans: list[tuple[int, int]], second: int) -> None:
    """Second by second: inside is from the start of an event to just before its end, however events overlap."""
    inside = {at for start, end in spans for at in range(start * 60, end * 60)}
    around = range(-10 * 60, 90 * 60)
    during, at = EventSpans(_events(spans)), second * SECOND
    first_in = next((one for one in around if one >= second and one in inside), None)
    first_out = next(one for one in around if one >= second and one not in inside)
    last_in = next((one for one in reversed(around) if one <= second and one in inside), None)
    last_out = next(one for one in reversed(around) if one <= second and one not in inside)
    assert during.inside_from(at) == (None if first_in is None else first_in * SECOND)
    assert during.outside_from(at) == first_out * SECOND
    assert during.inside_until(at) == _end_of(last_in, second)
    assert during.outside_until(at) == _end_of(last_out, second)


def test_events_that_last_no_time_are_no_stretch_and_those_that_meet_are_one() -> None:
    """Touching, overlapping, and one within another."""
    during = EventSpans(_events([(1, 1), (5, 8), (8, 9), (8, 12), (10, 11)]))
    assert (during.inside_from(0), during.outside_from(5 * MINUTE)) == (5 * MINUTE, 12 * MINUTE)


def _end_of(found: int | None, asked: int) -> int | None:
    """The last microsecond of a second that lies before the one asked for; that one as it is."""
    if found is None or found == asked:
        return None if found is None else found * SECOND
    return (found + 1) * SECOND - 1


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Calendar(SCHOOL), "when each event of school begins"),
        (Calendar(SCHOOL, offset_s=-900), "15 min before each event of school begins"),
        (Calendar(SCHOOL, edge="end", offset_s=3600), "1 h after each event of school ends"),
        (
            Intersect([Cron("0 9 * * *"), EventSpans(SCHOOL)]),
            "every day at 09:00 in UTC, only during events of school",
        ),
        (Exclude([Cron("0 9 * * *"), EventSpans(SCHOOL)]), "every day at 09:00 in UTC, except during events of school"),
    ],
)
def test_a_calendar_is_said_in_plain_english(trigger: Trigger, words: str) -> None:
    """What a person reads of it."""
    assert trigger.describe() == words


def test_a_trigger_is_limited_to_events_or_kept_out_of_them() -> None:
    """The hour at which an event ends is outside; the one at which it begins is inside."""
    hourly = Every(3600)
    inside, outside = Intersect([hourly, EventSpans(SCHOOL)]), Exclude([hourly, EventSpans(SCHOOL)])
    assert inside.count(BEGIN, BEGIN + 48 * HOUR) == 7 + 4
    assert outside.count(BEGIN, BEGIN + 48 * HOUR) == 48 - 11
    assert inside.next_after(BEGIN + 14 * HOUR) == BEGIN + 32 * HOUR
    assert outside.next_after(BEGIN + 7 * HOUR) == BEGIN + 15 * HOUR
    assert inside.previous_before(BEGIN + 32 * HOUR) == BEGIN + 14 * HOUR
    assert outside.previous_before(BEGIN + 15 * HOUR) == BEGIN + 7 * HOUR


def test_a_calendar_without_events_can_be_combined() -> None:
    """It may have some after the next refresh, so that it has none today is no mistake of the schedule."""
    empty = Events("school", (), 0)
    assert Calendar(empty).next_after(0) is None
    assert Intersect([Every(3600), EventSpans(empty)]).next_after(0) is None
    assert Intersect([Every(3600), Union([Calendar(empty), Once(1)])]).next_after(0) is None
    assert Exclude([Every(3600), EventSpans(empty)]).next_after(0) == HOUR


def test_what_lies_beyond_all_years_is_no_occurrence() -> None:
    """An offset that leads out of the years 1 to 9999 drops the occurrence."""
    ends = Events("ends", [(EARLIEST, EARLIEST), (LATEST, LATEST)], 0)
    assert Calendar(ends, offset_s=-60).next_after(EARLIEST) == LATEST - MINUTE
    assert Calendar(ends, offset_s=60).previous_before(LATEST) == EARLIEST + MINUTE


def test_calendars_are_equal_by_what_they_mean() -> None:
    """In whatever order the events are given, and however often."""
    one, other = Events("a", [(1, 2), (3, 4)], 9), Events("a", [(3, 4), (1, 2), (3, 4)], 9)
    assert (one, hash(one), Calendar(one), EventSpans(one)) == (other, hash(other), Calendar(other), EventSpans(other))
    assert hash(Calendar(one)) == hash(Calendar(other))
    assert Calendar(one) != Calendar(one, edge="end")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Events("A b", (), 0), "calendar 'A b': a name starts with a small letter"),
        (lambda: Events(5, (), 0), "calendar 5: a name"),  # type: ignore[arg-type]
        (lambda: Events("x" * 99, (), 0), r"\.\.\.: a name"),
        (lambda: Events(10**5000, (), 0), "calendar that number"),  # type: ignore[arg-type]
        (lambda: Events("a", [(60 * SECOND, 0)], 0), "calendar: an event ends 1 min before it begins"),
        (lambda: Events("a", [(at, at) for at in range(EVENTS_MAX + 1)], 0), "calendar with 8001 events: at most 8000"),
        (lambda: Calendar(SCHOOL, edge="middle"), "edge 'middle' is unknown: write start or end"),
        (lambda: Calendar(SCHOOL, offset_s=1e9), "offset 1000000000.0 is no duration in seconds of up to 31 days"),
        (lambda: Calendar(SCHOOL, offset_s=float("nan")), "offset nan"),
        (lambda: Calendar(SCHOOL, offset_s=True), "offset True"),
    ],
)
def test_what_is_no_calendar_is_refused(make: object, message: str) -> None:
    """One line says why."""
    with pytest.raises(InvalidTrigger, match=message):
        make()  # type: ignore[operator]


def test_events_lie_within_all_years() -> None:
    """An instant that no datetime can hold is refused."""
    with pytest.raises(InvalidInstant):
        Events("a", [(0, LATEST + 1)], 0)


def _read(tree: dict[Any, Any]) -> tuple[Trigger | None, list[str]]:
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(tree, "schedule", problems)
    found = read_trigger(table, Around("UTC", feeds={"school": SCHOOL}))
    table.close()
    return found, problems.lines


WRITTEN = {
    "name": "school",
    "events": ["2026-03-01T08:00:00Z/2026-03-01T15:00:00Z", "2026-03-02T08:00:00Z/2026-03-02T12:00:00Z"],
    "known_until": "9999-12-31T23:59:59.999999Z",
}


@pytest.mark.parametrize(
    ("tree", "trigger"),
    [
        ({"calendar": "school"}, Calendar(SCHOOL)),
        ({"calendar": {"name": "school", "offset": "-15m"}}, Calendar(SCHOOL, offset_s=-900)),
        ({"calendar": {"name": "school", "offset": 0.1, "edge": "end"}}, Calendar(SCHOOL, offset_s=0.1, edge="end")),
        ({"calendar": {"name": "school", "offset": -1.0000005}}, Calendar(SCHOOL, offset_s=-1.0000005)),
        ({"calendar": WRITTEN}, Calendar(SCHOOL)),
        ({"intersect": [{"every": "1h"}, {"during": "school"}]}, Intersect([Every(3600), EventSpans(SCHOOL)])),
        (
            {"exclude": [{"calendar": "school"}, {"during": {"name": "school"}}], "timezone": "Europe/Prague"},
            Exclude([Calendar(SCHOOL), EventSpans(SCHOOL)]),
        ),
        ({"intersect": [{"every": "1h"}, {"during": WRITTEN}]}, Intersect([Every(3600), EventSpans(SCHOOL)])),
    ],
)
def test_a_form_carries_its_events(tree: dict[str, Any], trigger: Trigger) -> None:
    """A name means what is known of that calendar; what is written needs no calendar to be read again."""
    assert _read(tree) == (trigger, [])
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(write_trigger(trigger), "kept", problems)
    assert (read_trigger(table, Around()), problems.lines) == (trigger, [])


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        ({"calendar": "scool"}, ['schedule.calendar: there is no calendar "scool"; did you mean school?']),
        ({"calendar": 5}, ['schedule.calendar: 5 is no text: put it between quotes, like "text"']),
        ({"calendar": {5: 5}}, ["schedule.calendar: key 5 is no text"]),
        ({"calendar": {}}, ['schedule.calendar.name: is missing: write it like name = "school"']),
        (
            {"calendar": "school", "timezone": "UTC"},
            ["schedule.timezone: calendar has instants, which no time zone changes: leave timezone out"],
        ),
        (
            {"calendar": {"name": "school", "edge": "middle", "offset": "-x"}},
            [
                'schedule.calendar.edge: "middle" is unknown; there is start, end',
                "schedule.calendar.offset: 'x' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d",
            ],
        ),
        (
            {"calendar": {"name": "a b", "events": ["x", "y"]}},
            [
                "schedule.calendar.name: calendar 'a b': a name starts with a small letter or digit and goes on with "
                "those or . _ / -, 63 characters at most",
                'schedule.calendar.events: "x" is no event: write it like 2026-01-02T08:00:00Z/2026-01-02T15:00:00Z',
                "schedule.calendar.known_until: is missing: say up to when the events are known, or leave them out, "
                "too",
            ],
        ),
        (
            {"calendar": {**WRITTEN, "events": ["2026-01-01T00:00:00Z"] * (EVENTS_MAX + 1)}},
            [f"schedule.calendar.events: {EVENTS_MAX + 1} events are too many: at most {EVENTS_MAX}"],
        ),
        (
            {"exclude": [{"every": "1h"}, {"during": {"nam": 1}}]},
            [
                'schedule.exclude[1].during.name: is missing: write it like name = "school"',
                "schedule.exclude[1].during.nam: unknown key; did you mean name?",
            ],
        ),
        ({"exclude": [{"every": "1h"}, {"during": {5: 1}}]}, ["schedule.exclude[1].during: key 5 is no text"]),
    ],
)
def test_what_is_no_form_is_said(tree: dict[Any, Any], lines: list[str]) -> None:
    """A line for each mistake."""
    assert _read(tree)[1] == lines


def test_a_stored_schedule_is_read_without_the_calendar() -> None:
    """A person names it; what is kept says all that is known of it."""
    declared = {"name": "lunch", "handler": "cook", "calendar": {"name": "school", "edge": "end"}}
    schedule = structure_schedule(declared, defaults=Defaults(feeds={"school": SCHOOL}))
    assert schedule.trigger == Calendar(SCHOOL, edge="end")
    assert structure_schedule(unstructure_schedule(schedule)) == schedule
