"""Reports: days of 23 to 25 hours add up, a partition without hours is held to its schedules, notices are told once."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.arming.houses import EVERY_DAY, PRAGUE, a_config, alerts_in, daily, panel_of
from tests.arming.premises import AWAY, DISARMED, NIGHT
from trioarm.arming.audit import OBSERVED, AuditEntry
from trioarm.arming.installation import Installation
from trioarm.arming.model import Hours, Reported
from trioarm.arming.supervision.report import Report, day_bounds
from trioarm.arming.supervision.reporting import WEEK, Often, monday_of, reporting_schedules, summary
from trioarm.config import SchedulerConfig
from trioarm.config.settings import REPORTS, ArmingSettings
from trioarm.core.alerts import AlertState
from trioarm.core.instants import DAY, HOUR, SECOND
from trioarm.core.triggers import Weekly
from trioarm.core.triggers.zones import find_zone
from trioarm.testing import a_world

ZONE = find_zone(PRAGUE)
MONDAY = (date(2025, 3, 24) - date(1970, 1, 1)).days
NEVER = Hours(
    name="shop", partition="house", opens=Weekly(EVERY_DAY, "08:00", PRAGUE), closes=None, early_s=0, late_s=60
)


def entry(after: Reported, before: Reported | None = None) -> AuditEntry:
    return AuditEntry(
        actor="ann", partition="house", verb=OBSERVED, before=before, after=after, reason="", correlation=""
    )


@given(st.lists(st.tuples(st.integers(0, 167), st.sampled_from([Reported.DISARMED, Reported.ARMED_AWAY])), max_size=20))
def test_what_was_open_and_unknown_is_what_counting_minutes_says(said: list[tuple[int, Reported]]) -> None:
    """Of each local day, the one with 23 hours as well."""
    start, until = day_bounds(ZONE, MONDAY)[0], day_bounds(ZONE, MONDAY + WEEK - 1)[1]
    turns = sorted(said, key=lambda each: each[0])
    report = Report({"house": ZONE}, (), (), first=MONDAY, days=WEEK, now=until)
    for hours, state in turns:
        report.add(start + hours * HOUR, entry(state))
    for day in report.days("house"):
        states = [_at(turns, (at - start) // HOUR) for at in range(day.start, day.until, HOUR)]
        assert day.open_us == states.count(Reported.DISARMED) * HOUR
        assert day.unknown_us == states.count(None) * HOUR
    assert [(day.until - day.start) // HOUR for day in report.days("house")] == [24] * 6 + [23]


def _at(turns: list[tuple[int, Reported]], hour: int) -> Reported | None:
    return next((state for at, state in reversed(turns) if at <= hour), None)


def test_a_week_begins_on_monday() -> None:
    """Whichever of its days is asked for."""
    assert {monday_of(MONDAY + number) for number in range(WEEK)} == {MONDAY}


def test_what_looks_found_counts_where_the_audit_says_nothing() -> None:
    """From when it was found."""
    start, until = day_bounds(ZONE, MONDAY)
    report = Report({"house": ZONE}, (), (), first=MONDAY, days=1, now=until)
    report.found("house", Reported.DISARMED, start + 6 * HOUR)
    [day] = report.days("house")
    assert (day.open_us, day.unknown_us) == (18 * HOUR, 6 * HOUR)


def test_hours_that_only_open_say_what_is_wanted() -> None:
    """And hours take the place of what schedules say."""
    start, until = day_bounds(ZONE, MONDAY)
    report = Report({"house": ZONE}, (NEVER,), (), first=MONDAY, days=1, now=until)
    report.add(start, entry(Reported.ARMED_AWAY))
    [day] = report.days("house")
    assert [(one.expected.closes, one.outcome.value) for one in day.expected] == [(False, "failed")]
    assert report.wants_closed("house", start) is False
    assert summary([day]) == ("Mon 24 Mar 2025: opened on 0 of 1 day, closed on 1, open for 0s, 1 failed")


def test_how_often_is_said_alike_in_settings_and_here() -> None:
    """The words of the setting are those there are."""
    assert sorted(REPORTS) == sorted(Often)
    assert reporting_schedules(a_config().premises, Often.OFF) == []


@pytest.mark.parametrize(("often", "told"), [("daily", 8), ("weekly", 1)])
async def test_people_are_told_at_seven_and_the_next_report_ends_the_last(
    autojump_clock: MockClock, often: str, told: int
) -> None:
    """Local time, a restart at seven or not."""
    async with a_world(start_at="2025-03-24 12:00", zone=PRAGUE) as world:
        premises = a_config(daily("night", NIGHT, "22:00"), daily("day", DISARMED, "06:00"), watch_s=600.0).premises
        node = await world.start(config=SchedulerConfig(premises=premises, arming=ArmingSettings(report=often)))
        await world.until("2025-03-26 12:00")
        await panel_of(node).arm(AWAY, "ann")
        await world.until("2025-03-31 06:59:59")
        async with world.outage():
            await world.advance(60)
        await world.until("2025-04-01 08:00")
        found = sorted(await alerts_in(world, "report"), key=lambda alert: alert.raised_at)
        assert len(found) == told
        assert [alert.state for alert in found] == [AlertState.RESOLVED] * (told - 1) + [AlertState.OPEN]
        if often == "weekly":
            assert found[0].text.startswith("week of Mon 24 Mar 2025: opened on 6 of 7 days, closed on 7, open for ")
            assert [(fact.name, fact.value) for fact in found[0].facts] == [
                ("Wed 26 Mar", "closed early, at 12:00 by ann: 9h59m before 22:00 (night/house)")
            ]


async def test_days_of_a_world_are_those_of_its_audit(autojump_clock: MockClock) -> None:
    """What schedules did is on time, and nobody is named who did nothing."""
    async with a_world(start_at="2025-03-28 12:00", zone=PRAGUE) as world:
        config = a_config(daily("night", NIGHT, "22:00"), daily("day", DISARMED, "06:00"), watch_s=600.0)
        node = await world.start(config=config)
        await world.until("2025-03-31 12:00")
        made = await node.container.get(Installation).reports.make(
            ["house"], first=MONDAY + 5, days=2, now=world.wall()
        )
        saturday, sunday = made.days
        assert [one.outcome.value for one in (*saturday.expected, *sunday.expected)] == ["on time"] * 4
        assert (saturday.open_us, sunday.open_us) == (16 * HOUR + 30 * SECOND, 16 * HOUR + 30 * SECOND)
        assert sunday.until - sunday.start == DAY - HOUR


async def test_what_people_skipped_is_not_expected(autojump_clock: MockClock) -> None:
    """An evening that was skipped is no closing that failed."""
    async with a_world(start_at="2025-03-28 12:00", zone=PRAGUE) as world:
        config = a_config(daily("night", NIGHT, "22:00"), daily("day", DISARMED, "06:00"), watch_s=600.0)
        node = await world.start(config=config)
        await world.until("2025-03-29 12:00")
        await node.scheduler.schedules.skip_next("night/house", author="ann")
        await world.until("2025-03-31 12:00")
        reports = node.container.get(Installation).reports
        made = await reports.make(["house"], first=MONDAY + 5, days=2, now=world.wall())
        saturday, sunday = made.days
        assert [(one.expected.closes, one.outcome.value) for one in saturday.expected] == [(False, "on time")]
        assert [one.outcome.value for one in sunday.expected] == ["already", "on time"]


@pytest.mark.parametrize(
    ("closed_by_hand", "outcomes"), [(None, ["on time"]), ("22:10", ["on time"]), ("20:00", ["early"])]
)
async def test_what_people_postponed_is_expected_when_they_said(
    autojump_clock: MockClock, closed_by_hand: str | None, outcomes: list[str]
) -> None:
    """A closing that was postponed and came then is not late; done by hand when it was declared, it is not early."""
    async with a_world(start_at="2025-03-28 12:00", zone=PRAGUE) as world:
        config = a_config(daily("night", NIGHT, "22:00"), daily("day", DISARMED, "06:00"), watch_s=600.0)
        node = await world.start(config=config)
        await world.until("2025-03-29 12:00")
        await node.scheduler.schedules.postpone("night/house", by_s=5400, author="ann")
        if closed_by_hand is not None:
            await world.until(f"2025-03-29 {closed_by_hand}")
            await panel_of(node).arm(AWAY, "ann")
        await world.until("2025-03-31 12:00")
        report = await node.container.get(Installation).reports.make(
            ["house"], first=MONDAY + 5, days=2, now=world.wall()
        )
        saturday, sunday = report.days
        assert [one.outcome.value for one in saturday.of(closes=True)] == outcomes
        start = saturday.start
        [closing] = saturday.of(closes=True)
        assert closing.expected.at == start + 23 * HOUR + 30 * 60 * SECOND
        wanted = [report.report.wanted("house", start + hours * HOUR) for hours in (21, 23, 24)]
        assert wanted == [DISARMED, DISARMED, NIGHT]
        assert [one.outcome.value for one in sunday.expected] == ["on time", "on time"]


async def test_what_was_postponed_and_taken_back_is_expected_as_declared(autojump_clock: MockClock) -> None:
    """The last word counts."""
    async with a_world(start_at="2025-03-28 12:00", zone=PRAGUE) as world:
        node = await world.start(config=a_config(daily("night", NIGHT, "22:00"), watch_s=600.0))
        await world.until("2025-03-29 12:00")
        await node.scheduler.schedules.postpone("night/house", by_s=5400, author="ann")
        await node.scheduler.schedules.undo("night/house", author="ann")
        await world.until("2025-03-30 12:00")
        reports = node.container.get(Installation).reports
        [saturday] = (await reports.make(["house"], first=MONDAY + 5, days=1, now=world.wall())).days
        assert [one.expected.at - saturday.start for one in saturday.expected] == [22 * HOUR]
