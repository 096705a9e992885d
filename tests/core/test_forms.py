"""Trigger forms: the key says which kind, and what does not belong to it is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pytest

from trioarm.core.errors import InvalidSchedule
from trioarm.core.forms import CIVIL, TRIGGERS, TRIGGERS_LATER, Around, read_trigger, write_trigger
from trioarm.core.forms.scalars import write_duration, write_instant
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.reading import Problems, Table
from trioarm.core.triggers import (
    After,
    Cron,
    Every,
    Exclude,
    Intersect,
    Interval,
    Monthly,
    Once,
    Trigger,
    Union,
    Weekly,
    Yearly,
)

KINDS = ", ".join(TRIGGERS)
ONE_OF = f"give it one of {KINDS}"


def _read(
    tree: dict[Any, Any], *, timezone: str = "Europe/Prague", dst: bool = True
) -> tuple[Trigger | None, list[str]]:
    problems = Problems(lambda lines: InvalidSchedule("\n".join(lines)))
    table = Table(tree, "schedule", problems)
    found = read_trigger(table, Around(timezone, dst))
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
        ({"every": 1, "cron": "x"}, ["schedule: every and cron are given: a schedule has one trigger"]),
        (
            {"sun": "dusk"},
            ["schedule.sun: sun is not available yet; there is " + KINDS],
        ),
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


@pytest.mark.parametrize("kind", ["once", "every", "after"])
@pytest.mark.parametrize("policy", CIVIL)
def test_real_time_sees_no_zone(kind: str, policy: str) -> None:
    """What says something of local time is refused beside a trigger that has none."""
    value = "2026-01-01T00:00:00Z" if kind == "once" else "5m"
    _, (line,) = _read({kind: value, policy: "x"})
    assert line.startswith(f"schedule.{policy}: {kind} counts real time and sees no time zone: leave {policy} out")


@pytest.mark.parametrize("later", TRIGGERS_LATER)
def test_what_is_not_there_yet_is_no_unknown_key(later: str) -> None:
    """A kind that is to come is answered with those that are there."""
    _, lines = _read({later: 1})
    assert lines == [f"schedule.{later}: {later} is not available yet; there is {', '.join(TRIGGERS)}"]


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


def test_durations_and_instants_are_written_exactly() -> None:
    """Text where it says the same, a number where only that does, and nothing for nothing."""
    assert [write_duration(value) for value in (None, 90.0, 0.1, 1e-7)] == [None, "1m30s", "100ms", 1e-7]
    assert (write_instant(None), write_instant(0)) == (None, "1970-01-01T00:00:00Z")
