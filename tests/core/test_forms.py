"""Trigger forms: the key says which kind, and what does not belong to it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms import CIVIL, FOR_PEOPLE, Around, read_trigger, write_trigger
from trioarm.core.forms.scalars import write_duration, write_instant
from trioarm.core.forms.spans import on_weekdays, write_spans
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import (
    After,
    Ahead,
    Cron,
    Every,
    Exclude,
    Intersect,
    Interval,
    Monthly,
    Once,
    Sun,
    Trigger,
    Union,
    Weekly,
    Yearly,
)
from trioarm.core.triggers.calendar import Events
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans

KINDS = ", ".join(FOR_PEOPLE)
WAYS = "2026-12-24, 2026-12-27/2027-01-02, or 12-24 for every year"
DAILY = Cron("0 6 * * *", "Europe/Prague")
ONE_OF = f"give it one of {KINDS}"


def _read(
    tree: dict[Any, Any], *, timezone: str = "Europe/Prague", dst: bool = True, **around: Any
) -> tuple[Trigger | None, list[str]]:
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(tree, "schedule", problems)
    found = read_trigger(table, Around(timezone, dst, **around))
    table.close()
    return found, problems.lines


@pytest.mark.parametrize(
    ("tree", "trigger"),
    [
        ({"once": "2026-12-24T18:00:00+01:00"}, Once(1_798_131_600_000_000)),
        ({"every": "10s"}, Every(10)),
        ({"every": 10}, Every(10)),
        ({"every": {"period": "1h", "anchor": "2026-01-01T00:20:00Z"}}, Every(3600, anchor=1_200_000_000)),
        ({"after": "5m"}, After(300)),
        ({"cron": "30 2 * * *"}, Cron("30 2 * * *", "Europe/Prague")),
        ({"cron": "30 2 * * *", "timezone": "UTC", "gap": "skip"}, Cron("30 2 * * *", "UTC", gap="skip")),
        ({"weekly": {"days": ["mon"], "at": "22:30"}}, Weekly("mon", "22:30", "Europe/Prague")),
        (
            {"weekly": {"days": "mon", "at": ["06:30", "22:30"]}, "fold": "both", "dst": False},
            Weekly("mon", ("06:30", "22:30"), "Europe/Prague", fold="both", dst=False),
        ),
        ({"cron": "0 0 6 LW * +fri 2027"}, Cron("0 0 6 LW * +fri 2027", "Europe/Prague")),
        (
            {"monthly": {"day": 31, "at": "22:30", "month_end": "skip"}, "gap": "shift"},
            Monthly(31, "22:30", "Europe/Prague", month_end="skip", gap="shift"),
        ),
        (
            {"monthly": {"day": ["2nd tue", 1], "at": ["06:30", "22:30"], "months": ["jan", 7]}, "dst": False},
            Monthly([1, "2nd tue"], ["06:30", "22:30"], "Europe/Prague", months=["jan", "jul"], dst=False),
        ),
        ({"monthly": {"day": "last", "at": "06:30", "months": "feb"}}, Monthly(31, "06:30", "Europe/Prague", months=2)),
        ({"yearly": {"month": "dec", "day": 24, "at": "18:00"}}, Yearly("dec", 24, "18:00", "Europe/Prague")),
        (
            {"yearly": {"month": 2, "day": [29], "at": "18:00", "month_end": "skip"}, "fold": "second"},
            Yearly("feb", 29, "18:00", "Europe/Prague", month_end="skip", fold="second"),
        ),
        (
            {"every": {"days": 2, "at": "22:30", "start": "2026-11-23"}},
            Interval(days=2, at="22:30", start="2026-11-23", timezone="Europe/Prague"),
        ),
        (
            {"every": {"weeks": 2, "at": ["22:30"], "start": date(2026, 11, 23)}, "timezone": "UTC", "gap": "skip"},
            Interval(weeks=2, at="22:30", start="2026-11-23", gap="skip"),
        ),
        (
            {"every": {"months": 3, "at": "22:30", "start": "2026-01-31", "month_end": "skip"}},
            Interval(months=3, at="22:30", start="2026-01-31", month_end="skip", timezone="Europe/Prague"),
        ),
        (
            {"every": {"years": 1, "at": "22:30", "start": "2028-02-29"}, "dst": False},
            Interval(years=1, at="22:30", start="2028-02-29", timezone="Europe/Prague", dst=False),
        ),
        (
            {"union": [{"cron": "0 6 * * *"}, {"weekly": {"days": "sat", "at": "09:00"}, "timezone": "UTC"}]},
            Union([Cron("0 6 * * *", "Europe/Prague"), Weekly("sat", "09:00", "UTC")]),
        ),
        (
            {"ahead": {"of": {"cron": "0 22 * * *", "timezone": "Europe/Prague"}, "by": "15m"}},
            Ahead(Cron("0 22 * * *", "Europe/Prague"), 900.0),
        ),
        (
            {
                "ahead": {
                    "of": {"union": [{"cron": "0 6 * * *"}, {"ahead": {"of": {"every": "1h"}, "by": 1}}]},
                    "by": "1h",
                }
            },
            Ahead(Union([Cron("0 6 * * *", "Europe/Prague"), Ahead(Every(3600), 1.0)]), 3600.0),
        ),
        (
            {"exclude": [{"cron": "0 6 * * *"}, {"days": ["sun", "sat"]}], "timezone": "Asia/Kathmandu"},
            Exclude([Cron("0 6 * * *", "Asia/Kathmandu"), on_weekdays(["sat", "sun"], "Asia/Kathmandu")]),
        ),
        (
            {
                "intersect": [
                    {"union": [{"every": "1h"}, {"once": "1970-01-01T00:20:00Z"}]},
                    {"days": "mon", "timezone": "UTC"},
                ]
            },
            Intersect([Union([Every(3600), Once(1_200_000_000)]), on_weekdays(["mon"], "UTC")]),
        ),
        (
            {"sun": {"event": "sunset", "latitude": 50.08, "longitude": 14.43, "offset": "-30m", "latest": "22:00"}},
            Sun("sunset", 50.08, 14.43, "Europe/Prague", offset_s=-1800, latest="22:00"),
        ),
        (
            {
                "sun": {"event": "dusk", "latitude": 1, "longitude": 2, "offset": "+1h", "depression": 12},
                "timezone": "UTC",
                "dst": False,
            },
            Sun("dusk", 1, 2, offset_s=3600, depression=12, dst=False),
        ),
        (
            {"sun": {"event": "sunrise", "latitude": 1, "longitude": 2, "offset": "-36ms", "elevation": 300.5}},
            Sun("sunrise", 1, 2, "Europe/Prague", offset_s=-0.036, elevation_m=300.5),
        ),
        (
            {"sun": {"event": "noon", "latitude": 1, "longitude": 2, "offset": 1e-7}},
            Sun("noon", 1, 2, "Europe/Prague"),
        ),
        (
            {"sun": {"event": "sunrise", "latitude": 1, "longitude": 2, "offset": 90, "earliest": "6:30"}},
            Sun("sunrise", 1, 2, "Europe/Prague", offset_s=90, earliest="06:30"),
        ),
        (
            {
                "intersect": [
                    {"cron": "0 6 * * *"},
                    {"days": "workday", "country": "CZ", "dates": date(2026, 12, 24), "working": ["2026-12-25"]},
                ]
            },
            Intersect(
                [
                    DAILY,
                    calendar_spans(
                        "workday", DayCalendar("CZ", dates=["2026-12-24"], working=["2026-12-25"]), "Europe/Prague"
                    ),
                ],
            ),
        ),
        (
            {
                "exclude": [
                    {"cron": "0 6 * * *"},
                    {"days": "before_workday", "country": "DE", "subdivision": "Bayern", "weekdays": ["mon", "sun"]},
                    {"dates": ["12-24", "2026-12-27/2027-01-02"], "timezone": "UTC"},
                ]
            },
            Exclude(
                [
                    DAILY,
                    calendar_spans(
                        "before_workday", DayCalendar("DE", subdivision="BY", weekdays=["mon", "sun"]), "Europe/Prague"
                    ),
                    calendar_spans("holiday", DayCalendar(dates=["12-24", "2026-12-27/2027-01-02"]), "UTC"),
                ]
            ),
        ),
        (
            {"cron": "0 6 * * *", "on": {"days": "workday", "country": "CZ"}},
            Intersect([DAILY, calendar_spans("workday", DayCalendar("CZ"), "Europe/Prague")]),
        ),
        (
            {"cron": "0 6 * * *", "timezone": "UTC", "on": ["mon", "tue"], "not_on": {"dates": "12-24"}},
            Exclude(
                [
                    Intersect([Cron("0 6 * * *"), on_weekdays(["mon", "tue"], "UTC")]),
                    calendar_spans("holiday", DayCalendar(dates=["12-24"]), "UTC"),
                ]
            ),
        ),
        (
            {"every": "1h", "not_on": "sun"},
            Exclude([Every(3600), on_weekdays(["sun"], "Europe/Prague")]),
        ),
    ],
)
def test_a_form_is_a_trigger_and_back(tree: dict[str, Any], trigger: Trigger) -> None:
    """What a form says is what the trigger does, and the trigger's own form says it again."""
    assert _read(tree) == (trigger, [])
    assert _read(write_trigger(trigger), timezone="UTC") == (trigger, [])


def test_the_defaults_are_those_of_the_caller() -> None:
    """Zone and daylight saving of a node hold where a schedule says nothing."""
    found, _ = _read({"cron": "0 4 * * *"}, timezone="Asia/Kathmandu", dst=False)
    assert found == Cron("0 4 * * *", "Asia/Kathmandu", dst=False)


@pytest.mark.parametrize(
    ("tree", "lines"),
    [
        (
            {},
            ["schedule: says nothing of when: " + ONE_OF],
        ),
        (
            {"daily": "22:30", "interval": 5},
            [
                'schedule.daily: say it as cron = "30 22 * * *", which is every day at 22:30',
                'schedule.interval: say it as every = "5m"',
            ],
        ),
        ({"every": 1, "cron": "x"}, ["schedule: every and cron are given: a schedule has one trigger"]),
        ({"every": {5: 1}}, ["schedule.every: key 5 is no text"]),
        (
            {"every": {"anchor": "2026-01-01T00:00:00Z"}},
            ['schedule.every.period: is missing: write it like period = "10s"'],
        ),
        ({"weekly": 5}, ["schedule.weekly: 5 is no table: write it like { key = value }"]),
        (
            {"weekly": {"days": 5}},
            [
                "schedule.weekly.days: 5 is no list: put it between [ and ]",
                'schedule.weekly.at: is missing: write it like at = "22:30"',
            ],
        ),
        ({"monthly": "31"}, ['schedule.monthly: "31" is no table: write it like { key = value }']),
        (
            {"monthly": {"day": {}, "at": "x", "months": [None], "month_end": "wrap", "hour": 1}},
            [
                "schedule.monthly.day: a table is neither a number nor a text, nor a list of them",
                "schedule.monthly.at: 'x' is no time of day: write it like 22:30 or 22:30:15",
                "schedule.monthly.months: None is neither a number nor a text, nor a list of them",
                'schedule.monthly.month_end: "wrap" is unknown; there is clamp, skip',
                "schedule.monthly.hour: unknown key; there is day, at, months, month_end",
            ],
        ),
        (
            {"monthly": {"day": 30, "at": "12:00", "months": "feb", "month_end": "skip"}},
            ["schedule.monthly: day 30 of feb never happens: no such month is that long"],
        ),
        ({"yearly": 5}, ["schedule.yearly: 5 is no table: write it like { key = value }"]),
        (
            {"yearly": {}},
            [
                'schedule.yearly.month: is missing: write it like month = "dec"',
                'schedule.yearly.day: is missing: write it like day = 15, day = "last" or day = "2nd tue"',
                'schedule.yearly.at: is missing: write it like at = "22:30"',
            ],
        ),
        (
            {"yearly": {"month": "apr", "day": 31, "at": "12:00"}},
            ["schedule.yearly: day 31 of apr never happens: its last is 30"],
        ),
        (
            {"every": {"period": "10s", "days": 2, "at": "22:30"}, "timezone": "UTC"},
            [
                "schedule.every: period beside days and at: period and anchor count real time; "
                "days, weeks, months or years with at and start count on the calendar"
            ],
        ),
        ({"every": {"days": 2, 5: 1}}, ["schedule.every: key 5 is no text"]),
        (
            {"every": {"days": 2, "weeks": 1, "month_end": "skip"}},
            [
                "schedule.every: needs one of days, weeks, months, years, not days and weeks",
                'schedule.every.at: is missing: write it like at = "22:30"',
                'schedule.every.start: is missing: a date to count from: write it like start = "2026-11-23"',
            ],
        ),
        (
            {"every": {"days": "2", "at": "12:00", "start": "2026-11-23", "month_end": "skip"}},
            [
                'schedule.every.days: "2" is no whole number: write it like 5',
                "schedule.every.month_end: days know no ends of months: leave it out",
            ],
        ),
        (
            {"every": {"at": "12:00", "start": "today"}},
            [
                "schedule.every: needs one of days, weeks, months, years, not none",
                'schedule.every.start: "today" is no date: write it like 2026-11-23',
            ],
        ),
        (
            {"every": {"weeks": 0, "at": "12:00", "start": "2026-11-23"}},
            ["schedule.every: weeks of an interval are a whole number from 1 to 5200"],
        ),
        ({"union": 5}, ["schedule.union: 5 is no list: put it between [ and ]"]),
        ({"union": []}, ["schedule.union: union of 0: give it 2 to 64 members"]),
        (
            {"exclude": [{"cron": "0 6 * * *"}, {"days": ["sun", "noday"]}, {"weekli": 5}]},
            [
                "schedule.exclude[1].days: 'noday' is no day of the week: write mon, tue, wed, thu, fri, sat or sun",
                "schedule.exclude[2]: says nothing of when: " + ONE_OF,
                "schedule.exclude[2].weekli: unknown key; did you mean weekly?",
            ],
        ),
        ({"cron": 5}, ['schedule.cron: 5 is no text: put it between quotes, like "text"']),
    ],
)
def test_what_is_no_trigger_is_said(tree: dict[Any, Any], lines: list[str]) -> None:
    """A line for each mistake, and no trigger."""
    assert _read(tree) == (None, lines)


HERE = "give latitude = 50.08 and longitude = 14.43 here, or to the site"
KINDS_OF_DAYS = "workday, holiday, day_off, before_workday, before_holiday"


@pytest.mark.parametrize(
    ("sun", "lines"),
    [
        ("sunset", [f".sun: is seen from nowhere: {HERE}"]),
        (
            "sunst",
            [
                '.sun: sun "sunst" is unknown: write dawn, sunrise, noon, sunset, dusk',
                f".sun: is seen from nowhere: {HERE}",
            ],
        ),
        (5, [".sun: 5 is no table: write it like { key = value }"]),
        (
            {"latitude": 1},
            [
                '.sun.event: is missing: write it like event = "sunset"',
                ".sun: has only latitude: a place is latitude = 50.08 and longitude = 14.43",
            ],
        ),
        (
            {"event": "noon", "latitude": 91, "longitude": "x", "ofset": 1},
            [
                ".sun.latitude: latitude 91.0 is no number from -90 to 90",
                '.sun.longitude: "x" is no number: write it like 1.5',
                ".sun.ofset: unknown key; did you mean offset?",
            ],
        ),
        (
            {"event": "noon", "latitude": 1, "longitude": 2, "offset": "-25h", "latest": "25:00"},
            [
                '.sun.offset: "-25h" is more than a day before or after the event',
                ".sun.latest: '25:00' is no time of day: write it like 22:30 or 22:30:15",
            ],
        ),
        (
            {"event": "noon", "latitude": 1, "longitude": 2, "offset": "--5m"},
            [".sun.offset: '-5m' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d"],
        ),
        (
            {"event": "noon", "latitude": 1, "longitude": 2, "earliest": "12:00", "latest": "11:00"},
            [".sun: earliest 12:00 is after latest 11:00: no time of day is between"],
        ),
    ],
)
def test_what_is_no_sun_is_said(sun: object, lines: list[str]) -> None:
    """A line for each mistake, with the key it is in."""
    found, said = _read({"sun": sun})
    assert [line.removeprefix("schedule") for line in said] == lines
    assert found is None


def test_the_sun_is_seen_from_the_surroundings_or_from_where_it_says() -> None:
    """Both coordinates come from one of the two, never one from each; gaps and folds mean nothing."""
    place = {"latitude": 50.08, "longitude": 14.43}
    assert _read({"sun": "sunset"}, **place) == (Sun("sunset", 50.08, 14.43, "Europe/Prague"), [])
    own = {"event": "sunset", "latitude": 1, "longitude": 2}
    assert _read({"sun": own}, **place) == (Sun("sunset", 1, 2, "Europe/Prague"), [])
    found, (line,) = _read({"sun": {"event": "sunset", "longitude": 2}}, **place)
    assert (found, line[:32]) == (None, "schedule.sun: has only longitude")
    assert _read({"sun": "sunset", "gap": "skip", "fold": "both"}, **place)[1] == [
        "schedule.gap: the sun knows no gap: leave it out",
        "schedule.fold: the sun knows no fold: leave it out",
    ]


@pytest.mark.parametrize(
    ("days", "lines"),
    [
        ({"days": "workdya"}, ['.days: "workdya" are no days; did you mean workday?']),
        (
            {"days": "moo", "country": "CZ"},
            [".days: 'moo' is no day of the week: write mon, tue, wed, thu, fri, sat or sun"],
        ),
        ({"country": "CZ"}, [f".days: is missing: say which: {KINDS_OF_DAYS}"]),
        ({"days": "workday"}, [': there are no holidays without a country or dates: write them, like country = "CZ"']),
        ({"days": "workday", "country": "Czechia"}, ['.country: country "Czechia" is unknown; did you mean CZ?']),
        (
            {"days": "workday", "country": "Czechia", "subdivision": "x", "weekdays": 5},
            [
                '.country: country "Czechia" is unknown; did you mean CZ?',
                ".weekdays: 5 is no list: put it between [ and ]",
            ],
        ),
        (
            {"days": "workday", "subdivision": "BY"},
            ['.subdivision: is a part of no country: say which, like country = "DE"'],
        ),
        (
            {"days": "workday", "country": "DE", "subdivision": "Bayer"},
            ['.subdivision: subdivision "Bayer" is unknown in DE; did you mean BY?'],
        ),
        (
            {"days": ["mon"], "country": "CZ"},
            [f".country: stands beside days of the week: leave it out, or write one of {KINDS_OF_DAYS} as days"],
        ),
        (
            {"days": "holiday", "country": "CZ", "weekdays": ["mon"]},
            [".weekdays: a holiday is one whatever weekdays are worked: leave it out"],
        ),
        ({"dates": ["24.12."]}, [f'.dates: "24.12." is no date: write it like {WAYS}']),
        (
            {"dates": [datetime(2026, 12, 24, tzinfo=UTC)]},
            ['.dates: 2026-12-24T00:00:00+00:00 is no text: put it between quotes, like "text"'],
        ),
        ({"days": "workday", "calendar": "cz"}, ['.calendar: there is no calendar "cz"; did you mean cze?']),
        (
            {"days": "workday", "calendar": "cze", "country": "CZ"},
            [".country: stands beside a calendar, which says it already: give one of the two"],
        ),
        ({"calendar": "cze", "country": "CZ"}, [f".days: is missing: say which: {KINDS_OF_DAYS}"]),
    ],
)
def test_what_are_no_days_is_said(days: dict[str, object], lines: list[str]) -> None:
    """A line for each mistake, as a member and beside a trigger alike."""
    calendars = {"cze": DayCalendar("CZ")}
    _, as_member = _read({"intersect": [{"every": "1h"}, days]}, calendars=calendars)
    _, beside = _read({"every": "1h", "on": days}, calendars=calendars)
    assert [line.removeprefix("schedule.intersect[1]") for line in as_member] == lines
    assert [line.removeprefix("schedule.on") for line in beside] == lines


def test_days_are_no_events_and_events_no_days() -> None:
    """A name that is known for the other is said to be, with what to write."""
    around = {"calendars": {"cz": DayCalendar("CZ")}, "feeds": {"school": Events("school", (), 0)}}
    _, lines = _read({"calendar": "cz"}, **around)
    assert lines == [
        'schedule.calendar: calendar "cz" has days, not events: write { days = "holiday", calendar = "cz" }'
    ]
    _, lines = _read({"every": "1h", "on": {"days": "holiday", "calendar": "school"}}, **around)
    assert lines == ['schedule.on.calendar: calendar "school" has events, not days: write { during = "school" }']


def test_a_calendar_may_be_meant_by_name() -> None:
    """It is written back with what it says, so that nobody has to know the name; weekdays say nothing of holidays."""
    calendars = {"cz": DayCalendar("CZ", dates=["12-31"], weekdays=["mon"])}
    for days in ("workday", "holiday"):
        tree = {"every": "1h", "on": {"days": days, "calendar": "cz"}}
        found, lines = _read(tree, calendars=calendars)
        assert (found, lines) == (
            Intersect([Every(3600), calendar_spans(days, calendars["cz"], "Europe/Prague")]),
            [],
        )
        assert found is not None
        assert _read(write_trigger(found)) == (found, [])


def test_limits_are_levels_of_their_own() -> None:
    """What is written back in the long form is not deeper than what may be read."""
    tree: dict[str, Any] = {"every": "1h", "on": "mon", "not_on": {"dates": "12-24"}}
    for _ in range(6):
        tree = {"union": [tree, {"every": "7m"}]}
    found, lines = _read(tree)
    assert (lines, _read(write_trigger(found) if found else {})) == ([], (found, []))
    _, (line,) = _read({"union": [tree, {"every": "7m"}]})
    assert line.endswith("on: lies inside 8 others: say it more simply")


def test_what_limits_a_mistake_is_read_as_well() -> None:
    """Problems of a trigger and of its limits are said in one go, and a limit that leaves nothing is refused."""
    _, lines = _read({"cron": "x", "timezone": "Europe/Prag", "on": "noday"})
    assert [line.split(":")[0] for line in lines] == ["schedule.timezone", "schedule.cron", "schedule.on.days"]
    _, (line,) = _read({"cron": "0 6 * * mon", "on": "tue"})
    assert line.startswith("schedule.on: intersect never happens")
    _, (line,) = _read({"after": "5m", "not_on": "tue"})
    assert line.startswith("schedule.not_on: exclude: a fixed delay depends on when runs end")


@pytest.mark.parametrize("kind", ["once", "every", "after"])
@pytest.mark.parametrize("policy", CIVIL)
def test_real_time_sees_no_zone(kind: str, policy: str) -> None:
    """What says something of local time is refused beside a trigger that has none."""
    value = "2026-01-01T00:00:00Z" if kind == "once" else "5m"
    _, (line,) = _read({kind: value, policy: "x"})
    assert line.startswith(f"schedule.{policy}: {kind} counts real time and sees no time zone: leave {policy} out")


@pytest.mark.parametrize("policy", ["gap", "fold"])
def test_each_member_has_its_own_gaps_and_folds(policy: str) -> None:
    """Beside a list of triggers only zone and daylight saving mean something for all of them."""
    _, lines = _read({"intersect": [{"every": "1h"}, {"days": "mon"}], policy: "skip"})
    assert lines == [f"schedule.{policy}: each member of intersect has its own {policy}: say it there"]


def test_triggers_inside_triggers_have_a_limit() -> None:
    """Eight deep nobody can tell any more what is meant, and a hostile file comes to an end."""
    tree: dict[str, Any] = {"every": "1h"}
    for _ in range(8):
        tree = {"union": [tree, {"every": "7m"}]}
    found, lines = _read(tree)
    assert (lines, _read(write_trigger(found) if found else {})) == ([], (found, []))
    _, (line,) = _read({"union": [tree, {"every": "7m"}]})
    assert line.endswith("union: lies inside 8 others: say it more simply")


def test_a_foreign_trigger_cannot_be_written() -> None:
    """A program may bring its own; a file has no words for it."""

    @attrs.frozen
    class Moon(Once):
        """Not one of ours."""

    @attrs.frozen
    class Tide:
        """Neither."""

    assert write_trigger(Moon(0)) == {"once": "1970-01-01T00:00:00Z"}
    with pytest.raises(InvalidSchedule, match="a Tide is no trigger that can be written down"):
        write_trigger(Tide())  # type: ignore[arg-type]
    with pytest.raises(InvalidSchedule, match="a Tide cannot be written down"):
        write_spans(Tide())  # type: ignore[arg-type]


def test_durations_and_instants_are_written_exactly() -> None:
    """Text where it says the same, a number where only that does, and nothing for nothing."""
    assert [write_duration(value) for value in (None, 90.0, 0.1, 1e-7)] == [None, "1m30s", "100ms", 1e-7]
    assert (write_instant(None), write_instant(0)) == (None, "1970-01-01T00:00:00Z")
