"""The algebra: a union has what any member has, an intersection what all have, an exclusion what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import DAY, HOUR, LATEST, MINUTE, instant
from trioarm.core.triggers import After, Cron, Every, Exclude, Intersect, Once, Trigger, Union, Weekly
from trioarm.core.triggers.spans import DaySpans
from trioarm.core.triggers.timetable import MONTHS_ALL, Days

ZONES = ("UTC", "Europe/Prague", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Africa/Cairo")
START = instant(datetime(2026, 3, 20, tzinfo=UTC))
SPAN = 20 * DAY

zones = st.sampled_from(ZONES)
triggers: st.SearchStrategy[Trigger] = st.one_of(
    st.builds(
        Cron, st.sampled_from(["0 * * * *", "*/30 * * * *", "0 0 * * *", "30 2 * * *", "0 12 * * mon-fri"]), zones
    ),
    st.builds(
        lambda days, at, zone: Weekly(sorted(days), sorted(at), zone),
        st.frozensets(st.sampled_from(["mon", "thu", "sat", "sun"]), min_size=1),
        st.frozensets(st.sampled_from(["00:00", "02:30", "12:00", "23:30"]), min_size=1),
        zones,
    ),
    st.builds(lambda minutes: Every(minutes * 60), st.sampled_from([30, 45, 60, 600])),
)
spans = st.builds(
    lambda days, zone: on_weekdays(sorted(days), zone),
    st.frozensets(st.sampled_from(["mon", "wed", "fri", "sat", "sun"]), min_size=1),
    zones,
)


def steps(trigger: Trigger) -> list[int]:
    """All occurrences in the span, by stepping."""
    found = []
    at = trigger.next_after(START)
    while at is not None and at <= START + SPAN:
        found.append(at)
        at = trigger.next_after(at)
    return found


def steps_back(trigger: Trigger) -> list[int]:
    found = []
    at = trigger.previous_before(START + SPAN + 1)
    while at is not None and at > START:
        found.append(at)
        at = trigger.previous_before(at)
    return found[::-1]


def inside(days: DaySpans, at: int) -> bool:
    """Whether the local day of an instant is one of the days, by the wall alone."""
    return days.days.has(days.zone.to_local(at) // DAY)


def agree(trigger: Trigger, expected: list[int]) -> None:
    assert steps(trigger) == expected
    assert steps_back(trigger) == expected
    middle = START + SPAN // 3
    assert trigger.count(START, START + SPAN) == len(expected)
    assert trigger.count(START, middle) == sum(1 for at in expected if at <= middle)


@settings(max_examples=20, deadline=None)
@given(members=st.lists(triggers, min_size=2, max_size=4))
def test_a_union_has_what_any_member_has(members: list[Trigger]) -> None:
    """Each instant once, however many members mean it."""
    agree(Union(members), sorted({at for member in members for at in steps(member)}))


@settings(max_examples=20, deadline=None)
@given(base=triggers, other=triggers, limits=st.lists(spans, max_size=2))
def test_an_intersection_has_what_all_have(base: Trigger, other: Trigger, limits: list[DaySpans]) -> None:
    """Instants of both triggers on days of all spans."""
    both = set(steps(base)) & set(steps(other))
    expected = sorted(at for at in both if all(inside(days, at) for days in limits))
    try:
        trigger = Intersect([base, other, *limits])
    except InvalidTrigger:
        assert expected == []
    else:
        agree(trigger, expected)


@settings(max_examples=20, deadline=None)
@given(base=triggers, others=st.lists(triggers, max_size=2), limits=st.lists(spans, min_size=1, max_size=2))
def test_an_exclusion_has_what_is_left(base: Trigger, others: list[Trigger], limits: list[DaySpans]) -> None:
    """Instants of the first, less those of the others and those on days of any span."""
    out = {at for other in others for at in steps(other)}
    expected = [at for at in steps(base) if at not in out and not any(inside(days, at) for days in limits)]
    try:
        trigger = Exclude([base, *others, *limits])
    except InvalidTrigger:
        assert expected == []
    else:
        agree(trigger, expected)


def test_a_day_that_clocks_leave_out_is_no_day() -> None:
    """Apia had no 30 December 2011, a Friday: what is limited to it waits a week, what it is kept out of goes on."""
    friday = on_weekdays(["fri"], "Pacific/Apia")
    thursday_evening = instant(datetime(2011, 12, 30, 9, tzinfo=UTC))  # 23:00 on the 29th
    saturday = instant(datetime(2011, 12, 30, 10, tzinfo=UTC))  # 00:00 on the 31st
    assert friday.inside_from(thursday_evening) == saturday + 6 * DAY
    assert friday.inside_until(saturday) == instant(datetime(2011, 12, 24, 10, tzinfo=UTC)) - 1
    assert friday.outside_from(thursday_evening) == thursday_evening
    thursday = on_weekdays(["thu"], "Pacific/Apia")
    assert thursday.outside_from(thursday_evening) == saturday
    assert on_weekdays(["sat"], "Pacific/Apia").outside_until(saturday) == saturday - 1


def test_a_day_begins_where_a_gap_at_midnight_ends() -> None:
    """Cairo's clocks went from 00:00 to 01:00 on Friday, 24 April 2026: the day begins then."""
    friday = on_weekdays(["fri"], "Africa/Cairo")
    assert friday.inside_from(instant(datetime(2026, 4, 23, 12, tzinfo=UTC))) == instant(
        datetime(2026, 4, 23, 22, tzinfo=UTC)
    )


def test_what_never_leaves_a_span_is_never_outside() -> None:
    """Days of one sort without an end have no other side, in either direction."""
    always = DaySpans(Days(), "UTC", words="every day")
    assert (always.outside_from(START), always.outside_until(START)) == (None, None)
    never = DaySpans(Days(months=MONTHS_ALL, monthdays=0), "UTC", words="no day")
    assert (never.inside_from(START), never.inside_until(START)) == (None, None)
    assert (never.outside_from(START), never.outside_until(START)) == (START, START)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Union([Every(60)]), "union of 1: give it 2 to 64 members"),
        (lambda: Union([Every(60)] * 65), "union of 65"),
        (lambda: Union([Every(60), After(60)]), "union: a fixed delay depends on when runs end"),
        (lambda: Union([Every(60), on_weekdays(["mon"], "UTC")]), "union: days alone yield no instants"),  # type: ignore[list-item]
        (lambda: Intersect([on_weekdays(["mon"], "UTC"), on_weekdays(["tue"], "UTC")]), "intersect: days alone"),
        (lambda: Exclude([on_weekdays(["mon"], "UTC"), Every(60)]), "exclude: days alone yield no instants: begin"),
        (lambda: Intersect([Cron("0 * * * *"), Cron("30 * * * *")]), "intersect never happens: of 3000 instants"),
        (lambda: Exclude([Cron("0 0 * * mon"), on_weekdays(["mon"], "UTC")]), "exclude never happens"),
    ],
)
def test_what_cannot_be_combined_is_refused(make: object, message: str) -> None:
    """One line says why."""
    with pytest.raises(InvalidTrigger, match=message):
        make()  # type: ignore[operator]


def test_the_nominal_time_is_that_of_whoever_means_the_instant() -> None:
    """Behind a gap the latest local time that was meant counts, by those alone that mean the instant (S4.4)."""
    gap = instant(datetime(2026, 3, 29, 1, tzinfo=UTC))  # 02:00 to 03:00 in Prague
    early, late = Cron("5 2 * * *", "Europe/Prague"), Cron("45 2 * * *", "Europe/Prague")
    assert Union([early, late]).shift_at(gap) == -15 * MINUTE
    assert Union([early, Every(60)]).shift_at(gap) == 0
    assert Exclude([early, late]).next_after(gap - HOUR) == early.next_after(gap)
    assert Intersect([late, on_weekdays(["sun"], "Europe/Prague")]).shift_at(gap) == -15 * MINUTE
    assert Union([early, late]).shift_at(gap + 1) == 0


def test_members_that_agreed_for_decades_may_differ_today() -> None:
    """Lord Howe's full hours were those of UTC until 1981; an exclusion of the ones by the others has some since."""
    hourly = Exclude([Cron("0 * * * *", "Australia/Lord_Howe"), Cron("0 * * * *")])
    assert hourly.next_after(START) == START + 15 * DAY + 15 * HOUR + 30 * MINUTE


def test_they_say_what_they_are() -> None:
    """In words, where, and untouched by the ends of runs."""
    daily, monday = Cron("0 6 * * *", "Europe/Prague"), on_weekdays(["mon"], "Europe/Prague")
    assert Union([daily, Every(60)]).describe() == "every day at 06:00 in Europe/Prague, or every 1 min"
    both = Intersect([daily, monday, Every(60)])
    assert both.describe() == (
        "every day at 06:00 in Europe/Prague, only on mon in Europe/Prague, only when also every 1 min"
    )
    assert Exclude([daily, monday]).describe() == "every day at 06:00 in Europe/Prague, except on mon in Europe/Prague"
    assert (both.zone.name, Union([Every(60), Once(0)]).zone.name) == ("Europe/Prague", "UTC")


def test_they_end_where_their_members_end() -> None:
    """Nothing follows the last occurrence, nothing precedes the first."""
    union = Union([Once(5), Once(7)])
    assert [union.next_after(4), union.next_after(5), union.next_after(7)] == [5, 7, None]
    assert [union.previous_before(8), union.previous_before(7), union.previous_before(5)] == [7, 5, None]
    assert Exclude([Every(86400), Once(0)]).next_after(LATEST - timedelta(hours=1) // timedelta(microseconds=1)) is None


def test_a_search_back_comes_to_an_end() -> None:
    """Before 1981 every full hour of Lord Howe was one of UTC, too: there is nothing to be found."""
    hourly = Exclude([Cron("0 * * * *", "Australia/Lord_Howe"), Cron("0 * * * *")])
    assert hourly.previous_before(instant(datetime(1980, 1, 1, tzinfo=UTC))) is None


def test_nothing_is_left_out_where_nothing_follows() -> None:
    """Neither after the last occurrence, nor where the next one is allowed."""
    monday = on_weekdays(["mon"], "UTC")
    assert Exclude([Once(5), monday]).left_out(5) is None
    assert Exclude([Once(5), monday]).left_out(4) is None
