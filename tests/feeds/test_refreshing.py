"""Refreshing in a whole node: what a calendar says reaches every schedule, and one that stays down is told of."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from tests.config.writing import config_of
from tests.feeds.writing import NOW, calendar
from tests.world import all_runs, in_virtual_time
from trioarm import (
    Container,
    InMemoryScheduleRepository,
    RunContext,
    Schedule,
    Scheduler,
    ScheduleRepository,
    open_scheduler,
    scheduler_components,
)
from trioarm.core.alerts import AlertQuery, AlertState
from trioarm.core.instants import DAY, HOUR, SECOND, instant
from trioarm.core.record import ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import State
from trioarm.core.triggers import Calendar, Every
from trioarm.core.triggers.refreshing import events_of
from trioarm.engine.clock import VirtualClock
from trioarm.engine.ports import Chance, Clock
from trioarm.feeds.feed import Feeds
from trioarm.feeds.fetch import Fetcher
from trioarm.testing.stores import InlineThread

HEAD = """
[scheduler]
health_check_interval = "1h"
[calendar.school]
ics = "school.ics"
refresh = "1h"
"""
BELL = """
[[schedule]]
name = "bell"
handler = "ring"
calendar = "school"
"""
DAILY = """
[[schedule]]
name = "daily"
handler = "ring"
cron = "0 13 * * *"
not_on = { during = "school" }
"""
AT_13 = "DTSTART:20260301T130000Z", "DTEND:20260301T140000Z"
AT_15 = "DTSTART:20260301T150000Z", "DTEND:20260301T160000Z"
AT_18 = "DTSTART:20260301T180000Z", "DTEND:20260301T190000Z"
ALL = AlertQuery(states=frozenset(AlertState))


@attrs.frozen
class House:
    """A node whose clock shows noon of 1 March 2026 at its start, and the file of its calendar."""

    scheduler: Scheduler
    container: Container
    file: Path
    rung: list[int]

    async def until(self, hours: float) -> None:
        """Let time pass until so many hours after noon, and a few seconds."""
        await trio.sleep((NOW + hours * HOUR - self.container.get(Clock).now()) / SECOND + 5)

    async def state(self, name: str) -> ScheduleState:
        """Return where a schedule is."""
        return (await self.scheduler.schedules.get(name)).state

    async def refreshed(self) -> list[RunRecord]:
        """Return the runs that refreshed the calendar."""
        return await all_runs(self.container.get(ScheduleRepository), "trioarm/calendar/school")


@asynccontextmanager
async def a_house(
    folder: Path, schedules: str, *events: tuple[str, ...], store: ScheduleRepository | None = None, start_at: int = NOW
) -> AsyncIterator[House]:
    """Run a node whose calendar has these events; without any, there is no file."""
    file, rung = folder / "school.ics", list[int]()
    if events:
        file.write_text(calendar(*events))

    async def ring(run: RunContext) -> None:
        rung.append(round((instant(run.due_at) - NOW) / HOUR))

    container = scheduler_components(config_of(folder, HEAD + schedules), {"ring": ring})
    clock = VirtualClock(start_at, trio_start=trio.current_time(), check_interval_s=86400)
    repository = store or InMemoryScheduleRepository()
    container.override(Clock, lambda _: clock)
    container.override(Chance, lambda _: random.Random(0))
    container.override(ScheduleRepository, lambda _: repository)
    container.override(Feeds, lambda c: Feeds(c.get(ScheduleRepository), InlineThread(), Fetcher(InlineThread())))
    async with open_scheduler(container=container) as scheduler:
        house = House(scheduler, container, file, rung)
        await house.until((start_at - NOW) / HOUR)
        yield house


def test_a_calendar_is_read_at_the_start_and_its_events_come_due(tmp_path: Path) -> None:
    """The handler runs at each of them, and a schedule that keeps out of them does not."""

    async def main() -> None:
        async with a_house(tmp_path, BELL + DAILY, AT_13, AT_15) as house:
            await house.until(25)
            assert house.rung == [1, 3, 25]
            first = (await house.refreshed())[0]
            assert (first.state, first.result) == (State.SUCCEEDED, 2)

    in_virtual_time(main)


def test_a_schedule_waits_for_a_calendar_that_was_never_read(tmp_path: Path) -> None:
    """Nobody knows when it is due, or must not be; everything else runs, and somebody is told once."""

    async def main() -> None:
        async with a_house(
            tmp_path, BELL + DAILY + BELL.replace("bell", "beat").replace('calendar = "school"', 'every = "1h"')
        ) as house:
            await house.until(1.9)
            assert house.rung == [1]
            names = {stored.name for stored in (await house.scheduler.schedules.find()).rows}
            assert names == {"beat", "trioarm/calendar/school", "trioarm/health", "trioarm/prune"}
            [alert] = (await house.scheduler.alerts.find(ALL)).rows
            assert alert.alert is not None
            assert alert.alert.text.startswith("never read, so schedules that name it wait: ")
            assert alert.alert.advice == "look at its address, then try: trioarm schedules fire trioarm/calendar/school"
            house.file.write_text(calendar(AT_13, AT_15))
            await house.until(3)
            assert sorted(house.rung) == [1, 2, 3, 3]
            [alert] = (await house.scheduler.alerts.find(ALL)).rows
            assert alert.state is AlertState.RESOLVED

    in_virtual_time(main)


def test_what_changes_in_a_calendar_is_a_new_revision_of_schedules_whoever_owns_them(tmp_path: Path) -> None:
    """Nothing retroactive: what has come due stays, what is new comes; and what ended goes on."""

    async def main() -> None:
        async with a_house(tmp_path, BELL, AT_13) as house:
            bell = await house.scheduler.schedules.get("bell")
            own = attrs.evolve(bell.schedule, name="own", owner="somebody")
            await house.scheduler.schedules.put(own)
            await house.until(1.5)
            assert house.rung == [1, 1]
            assert await house.state("bell") is ScheduleState.FINISHED
            house.file.write_text(calendar(AT_13, AT_15))
            await house.until(2)
            for name in ("bell", "own"):
                stored = await house.scheduler.schedules.get(name)
                assert (stored.state, stored.revision) == (ScheduleState.ACTIVE, 2)
            await house.until(4)
            assert house.rung == [1, 1, 3, 3]
            assert [run.state for run in await house.refreshed()] == [State.SUCCEEDED] * len(await house.refreshed())
            assert (await house.scheduler.schedules.get("own")).revision == 2

    in_virtual_time(main)


def test_a_calendar_that_goes_down_counts_as_it_was_and_somebody_is_told_after_a_day(tmp_path: Path) -> None:
    """The copy holds; the alert ends with the next good refresh."""

    async def main() -> None:
        async with a_house(tmp_path, BELL, AT_13, AT_15) as house:
            house.file.write_text("<html>")
            await house.until(23.9)
            assert house.rung == [1, 3]
            assert (await house.scheduler.alerts.find(ALL)).rows == []
            await house.until(26)
            [alert] = (await house.scheduler.alerts.find(ALL)).rows
            assert alert.alert is not None
            assert alert.alert.text.startswith(
                'not refreshed since 2026-03-01T12:00:00Z, which counts: line 1: "<html>"'
            )
            assert any(run.state is State.FAILED for run in await house.refreshed())
            house.file.write_text(calendar(AT_13))
            await house.until(28)
            assert [alert.state for alert in (await house.scheduler.alerts.find(ALL)).rows] == [AlertState.RESOLVED]

    in_virtual_time(main)


def test_a_node_that_starts_without_its_calendar_knows_the_last_good_copy(tmp_path: Path) -> None:
    """Also across a restart: nothing waits."""

    async def main() -> None:
        store = InMemoryScheduleRepository()
        async with a_house(tmp_path, BELL, AT_13, AT_15, store=store):
            (tmp_path / "school.ics").unlink()
        async with a_house(tmp_path, BELL, store=store, start_at=NOW + HOUR // 2) as house:
            await house.until(4)
            assert house.rung == [1, 3]

    in_virtual_time(main)


def test_a_reload_takes_calendars_over(tmp_path: Path) -> None:
    """A new one is read at once; one that is gone is not refreshed any more."""
    (tmp_path / "other.ics").write_text(calendar(AT_15))
    other, gong = HEAD.replace("school", "other"), BELL.replace("school", "other").replace("bell", "gong")

    async def main() -> None:
        async with a_house(tmp_path, BELL, AT_13) as house:
            (tmp_path / "scheduler.toml").write_text(HEAD + '[calendar.other]\nics = "other.ics"\n' + BELL + gong)
            await house.scheduler.reload()
            await house.until(4)
            assert house.rung == [1, 3]
            (tmp_path / "scheduler.toml").write_text(other + gong)
            await house.scheduler.reload()
            names = {stored.name for stored in (await house.scheduler.schedules.find()).rows}
            assert names == {"gong", "trioarm/calendar/other", "trioarm/health", "trioarm/prune"}

    in_virtual_time(main)


def test_a_run_left_over_from_a_calendar_that_is_gone_ends_well(tmp_path: Path) -> None:
    """Another node may have fired it under another file."""

    async def main() -> None:
        async with a_house(tmp_path, BELL, AT_13) as house:
            handler = "trioarm.refresh_calendar"
            await house.scheduler.schedules.put(
                Schedule("old", Every(86400.0), handler=handler, args={"calendar": "gone"})
            )
            run = await house.scheduler.runs.fire("old")
            ended = await house.scheduler.runs.wait(run.id)
            assert (ended.state, ended.result) == (State.SUCCEEDED, "not refreshed: this node knows no such calendar")

    in_virtual_time(main)


def test_the_window_moves_on_every_day(tmp_path: Path) -> None:
    """A weekly event of a calendar that nobody touches is known further and further ahead."""

    async def main() -> None:
        weekly = ("DTSTART:20260302T080000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
        async with a_house(tmp_path, BELL, weekly) as house:
            before = (await house.scheduler.schedules.get("bell")).schedule.trigger
            await house.until(24 * 15)
            after = (await house.scheduler.schedules.get("bell")).schedule.trigger
            assert isinstance(before, Calendar)
            known = [events_of(trigger)["school"].known_until for trigger in (before, after)]
            assert known[1] - known[0] == 15 * DAY
            assert house.rung == [20, 188, 356]

    in_virtual_time(main)
