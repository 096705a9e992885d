"""Which night is meant shortly after midnight: shown where people say it one way and mean another (A4.4)."""

from __future__ import annotations

import logging

import pytest

from tests.arming.houses import EVERY_DAY, PRAGUE, a_config
from tests.arming.premises import NIGHT, arming, the_premises
from tests.arming.test_excepting import WORKDAYS
from tests.making import a_schedule
from tests.world import in_virtual_time
from trioarm.arming.compile import engine_schedules
from trioarm.arming.conflicts.ambiguity import Nights, ambiguous
from trioarm.core.diff import first_records
from trioarm.core.forecast import preview
from trioarm.core.instants import DAY, parse_instant
from trioarm.core.planning import PlanRules
from trioarm.core.triggers import Cron, Every, Excepted, Intersect, Monthly, RRule, Stretch, Sun, Trigger, Union, Weekly
from trioarm.testing.world import a_world

NOW = parse_instant("2026-11-30T12:00:00+01:00")  # a Monday
FRIDAY = Weekly(["fri"], "00:30", PRAGUE)
LINE = (
    "00:30 on fri is in the night before that day: next 2026-12-04 00:30, in the night from Thursday to Friday; "
    "if the nights after are meant, say sat"
)


def said_of(trigger: Trigger, now: int = NOW, **policies: object) -> list[str]:
    """Return what is said of a schedule."""
    return [str(one) for one in ambiguous(a_schedule(trigger=trigger, **policies), now)]


@pytest.mark.parametrize(
    "trigger",
    [
        FRIDAY,
        Cron("30 0 * * fri", PRAGUE),
        RRule("FREQ=WEEKLY;BYDAY=FR", PRAGUE, "2026-01-02T00:30"),
        Union([FRIDAY, Weekly(EVERY_DAY, "22:00", PRAGUE)]),
        Excepted(FRIDAY, [Stretch(NOW + 10 * DAY, NOW + 12 * DAY, "skiing")]),
    ],
)
def test_however_it_is_written(trigger: Trigger) -> None:
    """Which nights these are, when the next one is, and what to say for the others; a week without changes nothing."""
    assert said_of(trigger) == [LINE]


def test_several_days_and_times() -> None:
    """A line for each time; Sunday is followed by Monday."""
    assert said_of(Weekly(["sat", "sun"], ["00:00", "03:59:30", "04:00", "23:59"], PRAGUE)) == [
        "00:00 on sat, sun is in the night before that day: next 2026-12-05 00:00, in the night from Friday to "
        "Saturday; if the nights after are meant, say sun, mon",
        "03:59:30 on sat, sun is in the night before that day: next 2026-12-05 03:59, in the night from Friday to "
        "Saturday; if the nights after are meant, say sun, mon",
    ]


def test_workdays_are_days_of_the_week() -> None:
    """After midnight on a workday is the night from Sunday to Monday, and not that from Friday to Saturday."""
    [line] = said_of(Intersect([Cron("30 0 * * *", PRAGUE), WORKDAYS]))
    assert line.startswith("00:30 on mon, tue, wed, thu, fri is in the night before that day: next 2026-12-01 00:30, ")


@pytest.mark.parametrize(
    "trigger",
    [
        Weekly(EVERY_DAY, "00:30", PRAGUE),
        Weekly(["fri"], ["04:00", "23:59"], PRAGUE),
        Monthly(1, "00:30", PRAGUE),
        Cron("* * * * *", PRAGUE),
        Sun("dusk", 50.1, 14.4, PRAGUE, offset_s=8 * 3600.0),
        Every(7 * 86_400.0),
    ],
    ids=["every day", "late enough", "monthly", "every minute", "the sun", "no local time"],
)
def test_what_everybody_understands(trigger: Trigger) -> None:
    """Every night, by day, or on dates: there is no other night to be meant."""
    assert said_of(trigger) == []


def test_what_does_not_come_is_not_told() -> None:
    """Disabled, or over before it has come often enough to be weekly; one that begins later is told by then."""
    assert said_of(FRIDAY, enabled=False) == []
    assert said_of(FRIDAY, end_at=NOW + 7 * DAY) == []
    [line] = said_of(FRIDAY, start_at=parse_instant("2027-06-01T00:00:00Z"))
    assert "next 2027-06-04 00:30" in line


def test_clocks_that_change_are_no_other_night() -> None:
    """On the morning without 02:30 it comes at 03:00, which is nobody's day of the week."""
    [line] = said_of(Weekly(["sun"], "02:30", PRAGUE), parse_instant("2027-03-01T12:00:00Z"))
    assert line.startswith("02:30 on sun is in the night before that day: next 2027-03-07 02:30")


def test_what_is_foreseen_says_its_night() -> None:
    """Of schedules that arm, whatever zone they are shown in; with an exception it is a date that is meant."""
    arms = engine_schedules(the_premises(arming("late", NIGHT, Union([FRIDAY, Weekly(["fri"], "22:00", PRAGUE)]))))
    schedules = [*arms, a_schedule("backup", FRIDAY)]
    nights = Nights(schedules, NOW)
    found = preview(first_records(schedules, NOW), NOW, NOW + 7 * DAY, PlanRules(), "Asia/Tokyo")
    assert [(one.schedule.name, nights.of(one)) for one in found] == [
        ("late/house", "the night from Thursday to Friday"),
        ("backup", None),
        ("late/house", None),
    ]


def test_a_node_that_starts_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """In its log, by the clock that it has; a node whose nights are clear says nothing."""

    async def main(trigger: Trigger) -> list[str]:
        caplog.clear()
        async with a_world(start_at="2026-11-30 12:00", zone=PRAGUE) as world:
            await world.start(config=a_config(arming("pub", NIGHT, trigger)))
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    assert in_virtual_time(main, FRIDAY) == [f'schedule "pub": {LINE}']
    assert in_virtual_time(main, Weekly(["sat"], "22:30", PRAGUE)) == []
