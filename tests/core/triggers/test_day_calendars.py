"""Calendars: against a look at every day with the library of holidays and the names of days alone."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from time import process_time
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import DAY, as_datetime, instant
from trioarm.core.triggers import Exclude, Intersect, Once, Weekly
from trioarm.core.triggers.dates import DATES_MAX, own_dates
from trioarm.core.triggers.day_calendars import CalendarDays, DayCalendar, DayKind, calendar_spans

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PLACES = ((None, None), ("CZ", None), ("DE", "BY"), ("DE", "BE"), ("JP", None), ("US", None), ("IN", None))
DATES = (
    "2026-12-24", "2026-12-27/2027-01-02", "2027-06-30/2028-06-28", "12-24", "12-30/01-02", "02-29", "02-28/02-29",
    "02-29/03-01", "11-01/02-29", "02-29/01-15", "2028-02-29", "2099-12-31/2100-01-01",
)  # fmt: skip
TIME_S_MAX = 2.0  # generous: a search over all years takes a tenth of a second


def day_of(moment: date) -> int:
    return (moment - date(1970, 1, 1)).days


def lists(text: str, moment: date) -> bool:
    """Whether a listed date means a day, by comparing texts."""
    first, _, last = text.partition("/")
    shown = moment.isoformat() if len(first) > 5 else moment.isoformat()[5:]
    last = last or first
    return first <= shown <= last if first <= last else shown >= first or shown <= last


@cache
def public(country: str | None, subdivision: str | None) -> holidays.HolidayBase | dict[date, str]:
    return {} if country is None else holidays.country_holidays(country, subdiv=subdivision)


def is_free(calendar: DayCalendar, moment: date) -> bool:
    if any(lists(text, moment) for text in calendar.working):
        return False
    return moment in public(calendar.country, calendar.subdivision) or any(
        lists(text, moment) for text in calendar.dates
    )


def means(kind: DayKind, calendar: DayCalendar, moment: date) -> bool:
    """Whether a day is of a kind, by looking at it, or at the one after it."""
    match kind:
        case DayKind.HOLIDAY:
            return is_free(calendar, moment)
        case DayKind.BEFORE_HOLIDAY:
            return is_free(calendar, moment + timedelta(days=1))
        case DayKind.DAY_OFF:
            return not means(DayKind.WORKDAY, calendar, moment)
        case DayKind.BEFORE_WORKDAY:
            return means(DayKind.WORKDAY, calendar, moment + timedelta(days=1))
    if any(lists(text, moment) for text in calendar.working):
        return True
    return WEEK[moment.weekday()] in calendar.weekdays and not is_free(calendar, moment)


@st.composite
def sets(draw: st.DrawFn) -> CalendarDays:
    kind = draw(st.sampled_from(DayKind))
    country, subdivision = draw(st.sampled_from(PLACES))
    dates = draw(st.frozensets(st.sampled_from(DATES), min_size=country is None, max_size=4))
    weekdays = draw(st.frozensets(st.sampled_from(WEEK), min_size=1))
    worked = ["mon", "tue", "wed", "thu", "fri"] if kind.of_holidays else sorted(weekdays)
    working = draw(st.just([]) | st.lists(st.sampled_from(DATES), max_size=2))
    return CalendarDays(
        kind, DayCalendar(country, subdivision=subdivision, dates=sorted(dates), weekdays=worked, working=working)
    )


@pytest.mark.filterwarnings("ignore:Requested Holidays are available only")  # the oracle asks for India's
@settings(max_examples=60, deadline=None)
@given(days=sets(), start=st.dates(date(1970, 1, 1), date(2037, 12, 31)), length=st.integers(1, 500))
def test_a_day_is_of_a_kind_when_a_look_at_it_says_so(days: CalendarDays, start: date, length: int) -> None:
    """Each day asked for, forwards, backwards and counted."""
    moments = [start + timedelta(days=offset) for offset in range(length)]
    expected = [day_of(each) for each in moments if means(days.kind, days.calendar, each)]
    first, end = day_of(start), day_of(start) + length
    assert [day for day in range(first, end) if days.has(day)] == expected
    assert days.count(first, end) == len(expected)
    forwards, at = [], days.next_after(first - 1)
    while at is not None and at < end:
        forwards.append(at)
        at = days.next_after(at)
    assert forwards == expected
    backwards, at = [], days.previous_before(end)
    while at is not None and at >= first:
        backwards.append(at)
        at = days.previous_before(at)
    assert backwards[::-1] == expected


def test_christmas_in_prague() -> None:
    """24 to 26 December are holidays in CZ; the day before a workday is the Sunday after them."""
    calendar = DayCalendar("CZ")
    december = [day_of(date(2026, 12, day)) for day in range(21, 32)]
    for kind, found in (
        (DayKind.HOLIDAY, [24, 25, 26]),
        (DayKind.WORKDAY, [21, 22, 23, 28, 29, 30, 31]),
        (DayKind.DAY_OFF, [24, 25, 26, 27]),
        (DayKind.BEFORE_WORKDAY, [21, 22, 27, 28, 29, 30]),
        (DayKind.BEFORE_HOLIDAY, [23, 24, 25, 31]),
    ):
        days = CalendarDays(kind, calendar)
        assert [21 + day - december[0] for day in december if days.has(day)] == found


def test_a_date_that_is_worked_is_a_workday_whatever_else_it_is() -> None:
    """A Saturday that makes up for a bridged Friday, and a holiday on which the shop is open."""
    calendar = DayCalendar("CZ", dates=["2026-12-18"], working=["2026-12-12", "2026-12-24"])
    workdays = CalendarDays("workday", calendar)
    assert [workdays.has(day_of(date(2026, 12, day))) for day in (12, 13, 18, 24, 25)] == [1, 0, 0, 1, 0]
    assert not CalendarDays("holiday", calendar).has(day_of(date(2026, 12, 24)))
    assert workdays.describe() == "workdays of CZ with holidays on 2026-12-18 with work on 2026-12-12 and 2026-12-24"
    own = CalendarDays("holiday", DayCalendar(dates=["12-24"], working=["2026-12-24"]))
    assert own.describe() == "holidays with holidays on 12-24 with work on 2026-12-24"


def test_parts_of_a_country_have_holidays_of_their_own() -> None:
    """Epiphany and Corpus Christi are Bavaria's, Women's Day is Berlin's."""
    bavaria, berlin = (CalendarDays("holiday", DayCalendar("DE", subdivision=part)) for part in ("BY", "BE"))
    for moment, theirs in ((date(2026, 1, 6), "BY"), (date(2026, 6, 4), "BY"), (date(2026, 3, 8), "BE")):
        assert (bavaria.has(day_of(moment)), berlin.has(day_of(moment))) == (theirs == "BY", theirs == "BE")


def test_a_holiday_that_is_moved_is_one_where_it_is_moved_to() -> None:
    """Japan's Constitution Day of 2026 fell on a Sunday, so 6 May is a holiday."""
    assert CalendarDays("holiday", DayCalendar("JP")).has(day_of(date(2026, 5, 6)))


def test_where_nothing_is_known_there_are_no_public_holidays() -> None:
    """After 2100 and before 1952 only weekdays and dates of one's own decide in CZ."""
    calendar = DayCalendar("CZ", dates=["12-24"])
    for year in (1900, 2101, 9999):
        days = CalendarDays("holiday", calendar)
        assert days.count(day_of(date(year, 1, 1)), day_of(date(year, 12, 31)) + 1) == 1
        assert days.has(day_of(date(year, 12, 24)))


def test_what_never_comes_is_none_soon() -> None:
    """A year without workdays, and dates that are over, end the search."""
    began = process_time()
    never = CalendarDays("workday", DayCalendar("CZ", dates=["01-01/12-31"]))
    assert (never.next_after(0), never.previous_before(0), never.count(-(10**9), 10**9)) == (None, None, 0)
    once = CalendarDays("holiday", DayCalendar(dates=["2026-12-24"]))
    day = day_of(date(2026, 12, 24))
    assert (once.next_after(day), once.previous_before(day), once.count(-(10**9), 10**9)) == (None, None, 1)
    assert (once.next_after(-(10**9)), once.previous_before(10**9)) == (day, day)
    assert process_time() - began < TIME_S_MAX


def test_the_years_end() -> None:
    """There are no days before the year 1 and after 9999, whatever is asked."""
    first, last = day_of(date.min), day_of(date.max)
    for kind in DayKind:
        days = CalendarDays(kind, DayCalendar(dates=["01-01", "12-31"]))
        assert not days.has(first - 2)
        assert not days.has(last + 1)
        assert days.next_after(last) is None
        assert days.previous_before(first - 1) is None
        assert days.count(last + 1, last + 9) == days.count(5, 5) == 0


def test_a_leap_day_comes_in_leap_years() -> None:
    """Alone it is skipped by other years, eight of them around 1900; in a range it is its end or its beginning."""
    leap = CalendarDays("holiday", DayCalendar(dates=["02-29"]))
    assert leap.next_after(day_of(date(1896, 2, 29))) == day_of(date(1904, 2, 29))
    assert leap.previous_before(day_of(date(2028, 2, 28))) == day_of(date(2024, 2, 29))


def test_triggers_keep_to_workdays() -> None:
    """A weekly alarm clock is silent on Easter Monday, and only then rings the other one."""
    zone = "Europe/Prague"
    weekly, workdays = Weekly(WEEK[:5], "06:30", zone), calendar_spans("workday", DayCalendar("CZ"), zone)
    good_friday = instant(datetime(2026, 4, 3, tzinfo=ZoneInfo(zone)))
    ringing = Intersect([weekly, workdays]).next_after(good_friday)
    assert ringing is not None
    assert as_datetime(ringing) == datetime(2026, 4, 7, 4, 30, tzinfo=UTC)
    silent = Exclude([weekly, workdays]).next_after(good_friday)
    assert silent is not None
    assert as_datetime(silent) == datetime(2026, 4, 3, 4, 30, tzinfo=UTC)


def test_a_day_has_begun_although_clocks_go_back_over_midnight() -> None:
    """At 00:01 on 7 November 2010 St John's went back to 23:01: the new day stays, and the old one is over."""
    holiday = calendar_spans("holiday", DayCalendar(dates=["2010-11-06"]), "America/St_Johns")
    second_pass = instant(datetime(2010, 11, 7, 3, tzinfo=UTC))  # 23:30 on the 6th, once more
    assert as_datetime(second_pass).astimezone(ZoneInfo("America/St_Johns")).day == 6
    assert holiday.outside_from(second_pass) == second_pass
    assert Intersect([Once(second_pass - DAY), holiday]).previous_before(second_pass - DAY) is None


@pytest.mark.parametrize(
    ("kind", "calendar", "words"),
    [
        ("workday", DayCalendar("cz"), "on workdays of CZ in UTC"),
        ("holiday", DayCalendar("DE", subdivision="BY"), "on holidays of DE-BY in UTC"),
        ("day_off", DayCalendar("CZE", dates=["12-31"]), "on days off of CZ with holidays on 12-31 in UTC"),
        ("holiday", DayCalendar(dates=["2026-12-24", "12-27/01-02"]), "on 12-27/01-02 and 2026-12-24 in UTC"),
        ("before_holiday", DayCalendar(dates=["12-24"]), "on days before a holiday with holidays on 12-24 in UTC"),
        (
            "before_workday",
            DayCalendar("EG", dates=["01-01", "01-02", "01-03", "01-04"], weekdays=WEEK[:4] + WEEK[6:]),
            "on days before a workday (mon to thu and sun) of EG with holidays on 4 dates in UTC",
        ),
    ],
)
def test_they_say_what_they_are(kind: str, calendar: DayCalendar, words: str) -> None:
    """In words, with what decides."""
    assert calendar_spans(kind, calendar, "UTC").describe() == words


def test_equal_sets_are_equal() -> None:
    """However they are written; and weekdays say nothing of holidays."""
    assert DayCalendar("cze", dates=["12-24", "12-24", "2026-01-01 / 2026-01-01"]) == DayCalendar(
        "CZ", dates=["2026-01-01", "12-24/12-24"], weekdays=["friday", *WEEK[:4]]
    )
    assert calendar_spans("holiday", DayCalendar("CZ", weekdays=["mon"]), "UTC") == calendar_spans(
        DayKind.HOLIDAY, DayCalendar("CZ"), "UTC"
    )
    assert hash(DayCalendar("CZ")) == hash(DayCalendar("CZE"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DayCalendar(), 'no holidays without a country or dates: write them, like country = "CZ"'),
        (lambda: DayCalendar("Czech"), 'country "Czech" is unknown; did you mean CZ?'),
        (lambda: DayCalendar("XX"), 'country "XX" is unknown: write a code like CZ'),
        (lambda: DayCalendar("ECB"), 'country "ECB" is unknown: write a code like CZ'),  # a bank
        (lambda: DayCalendar("C" * 999), "is unknown: write a code like CZ"),
        (lambda: DayCalendar("CountryHoliday"), "is unknown: write a code like CZ"),
        (lambda: DayCalendar(5), "country 5 is no text: write a code like CZ"),  # type: ignore[arg-type]
        (lambda: DayCalendar("DE", subdivision="Bayer"), 'subdivision "Bayer" is unknown in DE; did you mean BY?'),
        (lambda: DayCalendar("DE", subdivision="zz"), "unknown in DE; there is BB, BE, BW, BY, HB"),
        (lambda: DayCalendar("DE", subdivision="z" * 99), "unknown in DE; there is BB, BE, BW, BY, HB"),
        (lambda: DayCalendar("DE", subdivision="Bayern"), 'subdivision "Bayern" is not written by its code: write BY'),
        (lambda: DayCalendar("DE", subdivision=5), "subdivision 5 is no text"),  # type: ignore[arg-type]
        (lambda: DayCalendar("CZ", subdivision="Praha"), "holidays are the same in all parts of CZ: leave it out"),
        (lambda: DayCalendar(subdivision="BY", dates=["12-24"]), 'subdivision "BY" is a part of no country: say which'),
        (lambda: DayCalendar("CZ", weekdays=["moon"]), "'moon' is no day of the week"),
        (
            lambda: CalendarDays("workdy", DayCalendar("CZ")),
            'days "workdy" are unknown: write workday, holiday, day_off',
        ),
        (lambda: CalendarDays("holiday", DayCalendar("CZ", weekdays=["mon"])), "a holiday is one whatever weekdays"),
        (lambda: own_dates(["12-24"] * (DATES_MAX + 1)), "1001 dates are too many: at most 1000"),
        (lambda: own_dates("2026-12-24/2026-12-23"), '"2026-12-24/2026-12-23" ends before it begins'),
        (lambda: own_dates("2026-12-24/2027-12-25"), "has 367 days: at most 366"),
        (lambda: own_dates("2026-12-24/12-26"), "begins in one year and ends in every year"),
        (lambda: own_dates([5]), "5 is no date: write it like 2026-12-24"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_meant_is_refused(make: object, message: str) -> None:
    """One line says why, and what would be right."""
    with pytest.raises(InvalidTrigger) as caught:
        make()  # type: ignore[operator]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "/", "24.12.", "2026-02-29", "02-30", "0000-01-01", "12-24/", "1-1", "12-24/12-25/12-26"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """With how one is written."""
    with pytest.raises(
        InvalidTrigger, match="is no date: write it like 2026-12-24, 2026-12-27/2027-01-02, or 12-24 for"
    ):
        own_dates(text)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=30) | st.text(alphabet="0123456789-/", max_size=22))
def test_any_text_is_a_date_or_a_refusal(text: str) -> None:
    """And what is a date is written back as it is kept."""
    with suppress(InvalidTrigger):
        (kept,) = own_dates(text)
        assert own_dates(kept) == (kept,)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without the extra refuses countries in one line, and still knows dates of one's own."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(InvalidTrigger) as caught:
        DayCalendar("CZ")
    assert str(caught.value) == "holidays need the library holidays: pip install 'trioarm[calendar]'"
    assert CalendarDays("holiday", DayCalendar(dates=["12-24"])).has(day_of(date(2026, 12, 24)))
