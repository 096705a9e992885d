"""Whatever the wall clock does: no burst, no occurrence twice, and the next arm at its true time (S3.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from trioarm import Container, RetryPolicy, RunContext, Schedule, Scheduler, ScheduleRepository
from trioarm.core.alerts import AlertQuery, AlertState
from trioarm.core.changes import Change, PutDocument
from trioarm.core.course import StepKind
from trioarm.core.events import ClockStepped
from trioarm.core.instants import DAY, HOUR, MINUTE, SECOND
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason, State
from trioarm.core.triggers import After, Cron, Every, Once
from trioarm.engine.clock import VirtualClock
from trioarm.engine.health import Level
from trioarm.engine.ports import Clock
from trioarm.engine.timekeeping import TRUST
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.testing import Fault, a_world

from ..world import a_node, all_runs, in_virtual_time
from .nodes import NOW, a_config

YEAR = 365 * DAY
LOOKS_EVERY_S = 60.0


async def nothing(run: RunContext) -> None:
    """Return at once."""


async def takes_a_minute(run: RunContext) -> None:
    """Return after a minute."""
    await trio.sleep(60)


Main = Callable[["House"], Awaitable[None]]


class House:
    """A node whose wall clock can be set, and what its handler did, by the wall."""

    def __init__(self, scheduler: Scheduler, container: Container, did: list[tuple[str, int, int]]) -> None:
        self.scheduler = scheduler
        self.repository = container.get(ScheduleRepository)
        clock = container.get(Clock)
        assert isinstance(clock, VirtualClock)
        self.clock = clock
        self.did = did

    async def passes(self, span: int) -> None:
        """Let time pass, in microseconds."""
        await trio.sleep(span / SECOND)

    async def is_set_by(self, span: int) -> None:
        """Set the wall clock, and let the node notice."""
        self.clock.step(span / SECOND)
        await self.passes(2 * MINUTE)

    async def runs(self) -> list[RunRecord]:
        """Every row of the tests' own schedules, in order of decision."""
        return [run for run in await all_runs(self.repository) if run.schedule.schedule.owner is None]


def lives(main: Main, *schedules: Schedule) -> None:
    """Let a house live with these schedules, in virtual time."""
    did: list[tuple[str, int, int]] = []

    async def node() -> None:
        async def work(run: RunContext) -> None:
            did.append((run.schedule, round(run.due_at.timestamp() * SECOND), clock.wall()))

        async with a_node({"work": work}, a_config(), check_interval_s=LOOKS_EVERY_S) as (scheduler, container):
            house = House(scheduler, container, did)
            clock = house.clock
            await scheduler.schedules.put_many(schedules)
            await main(house)

    in_virtual_time(node)


def at(minutes: float) -> int:
    return NOW + round(minutes * MINUTE)


def hourly(**policies: Any) -> Schedule:
    """Something every hour, on the hour of the wall."""
    return Schedule("hourly", Every(3600.0, anchor=NOW), handler="work", **policies)


def test_a_step_forward_is_downtime_of_that_length() -> None:
    """Three hours at once: one late run, the rest missed, and then each hour again, without a burst."""

    async def main(house: House) -> None:
        with house.scheduler.subscribe(ClockStepped) as seen:
            await house.passes(90 * MINUTE)
            await house.is_set_by(3 * HOUR)
            await house.passes(2 * HOUR)
            event = await anext(aiter(seen))
        assert event == ClockStepped(StepKind.FORWARD, pytest.approx(10_800.0, abs=0.1))
        instants = [due_at for _, due_at, _ in house.did]
        assert instants == [at(60), at(240), at(300), at(360)]
        assert [run.count for run in await house.runs() if run.state is State.MISSED] == [2]
        assert all(abs(wall - due_at) < SECOND for name, due_at, wall in house.did if due_at != at(240))

    lives(main, hourly())


def test_a_small_step_back_runs_nothing_twice() -> None:
    """One hour back: the node waits until the clock has caught up, and goes on from there."""

    async def main(house: House) -> None:
        await house.passes(150 * MINUTE)
        with house.scheduler.subscribe(ClockStepped) as seen:
            await house.is_set_by(-HOUR)
            event = await anext(aiter(seen))
        assert isinstance(event, ClockStepped)
        assert event.kind is StepKind.BACKWARD
        await house.passes(3 * HOUR)
        assert [due_at for _, due_at, _ in house.did] == [at(60), at(120), at(180), at(240)]

    lives(main, hourly())


def test_a_correction_takes_back_what_never_came_due() -> None:
    """Five hours back: what is to come runs at its true time, what ran already does not run again, and says why."""

    async def main(house: House) -> None:
        await house.passes(5 * HOUR + 30 * MINUTE)  # five runs
        with house.scheduler.subscribe(ClockStepped) as seen:
            await house.is_set_by(-5 * HOUR)
            event = await anext(aiter(seen))
        assert isinstance(event, ClockStepped)
        assert event.kind is StepKind.CORRECTION
        assert event.set_back > 0
        await house.passes(6 * HOUR)
        assert [due_at for _, due_at, _ in house.did] == [at(60 * n) for n in (1, 2, 3, 4, 5, 6)]
        runs = await house.runs()
        assert [run.voided_at is not None for run in runs] == [True] * 5 + [False] * 6
        assert [run.epoch for run in runs] == [0] * 5 + [1] * 6
        again = [run for run in runs if run.epoch == 1 and run.nominal_at <= at(300)]
        assert [(run.state, run.reason) for run in again] == [(State.SKIPPED, Reason.USER)] * 5

    lives(main, hourly())


def test_in_a_superseding_lane_what_ran_too_early_runs_again() -> None:
    """A house armed by a wrong clock is armed again when it is really night."""

    async def main(house: House) -> None:
        await house.is_set_by(5 * HOUR)  # wrong
        await house.passes(2 * HOUR)
        assert [name for name, _, _ in house.did] == ["arm"]
        await house.is_set_by(-5 * HOUR)  # right again
        await house.passes(DAY)
        assert [(name, due_at) for name, due_at, _ in house.did[1:]] == [("arm", at(390)), ("disarm", at(900))]
        assert all(abs(wall - due_at) < SECOND for _, due_at, wall in house.did)

    lives(
        main,
        Schedule("arm", Once(at(390)), handler="work", lane="house", supersede=True),
        Schedule("disarm", Once(at(900)), handler="work", lane="house", supersede=True),
    )


def test_a_range_that_reaches_beyond_is_cut() -> None:
    """What was missed by a leap of the clock is missed up to the corrected now, and decided anew beyond."""

    async def main(house: House) -> None:
        await house.is_set_by(20 * HOUR + 10 * MINUTE)
        assert [(run.state, run.count) for run in await house.runs()] == [(State.MISSED, 20)]
        await house.is_set_by(-10 * HOUR - 10 * MINUTE)
        cut, *rest = await house.runs()
        assert (cut.count, cut.last_at, cut.voided_at) == (10, at(600), None)
        assert rest == []
        await house.passes(90 * MINUTE)
        assert [due_at for _, due_at, _ in house.did] == [at(660)]

    lives(main, hourly(misfire="skip", tolerance_s=60.0))


def test_every_step_is_acted_on_however_soon_another_follows() -> None:
    """Two before the node could look: both are told, and what the first one asks for is done."""

    async def main(house: House) -> None:
        await house.passes(5 * HOUR + 30 * MINUTE)
        with house.scheduler.subscribe(ClockStepped) as seen:
            for hours in (-5, 1):
                house.clock.step(hours * HOUR / SECOND)
                house.clock.look()
            await house.passes(2 * MINUTE)
            events = [await anext(aiter(seen)) for _ in range(2)]
        kinds = {event.kind for event in events if isinstance(event, ClockStepped)}
        assert kinds == {StepKind.CORRECTION, StepKind.FORWARD}
        assert {run.voided_at is not None for run in await house.runs() if run.nominal_at > at(95)} == {True}

    lives(main, hourly())


class TestDoubt:
    """A step of more than a day is not believed at once."""

    def test_ten_years_and_back_change_nothing(self) -> None:
        """Nothing is planned meanwhile, an alert says so, health too; afterwards all goes on as if nothing was."""

        async def main(house: House) -> None:
            house.clock.synchronised = False
            await house.passes(90 * MINUTE)
            await house.is_set_by(10 * YEAR)
            health = {item.component: item for item in (await house.scheduler.health()).components}
            assert health["clock"].level is Level.DEGRADED
            assert "ahead of its course" in health["clock"].reasons[0]
            (stored,) = (await house.scheduler.alerts.find()).rows
            assert stored.alert is not None
            assert (stored.alert.subject, stored.alert.kind) == ("clock", "not_trusted")
            await house.passes(HOUR)
            assert [due_at for _, due_at, _ in house.did] == [at(60)]
            await house.is_set_by(-10 * YEAR)
            await house.passes(HOUR)
            assert [due_at for _, due_at, _ in house.did] == [at(60), at(120), at(180)]
            assert all(run.nominal_at < at(300) for run in await house.runs())
            (closed,) = (await house.scheduler.alerts.find(AlertQuery(states=frozenset({AlertState.RESOLVED})))).rows
            assert closed.id == stored.id

        lives(main, hourly())

    def test_what_is_put_meanwhile_counts_by_the_old_course(self) -> None:
        """A schedule that is added while the wall shows 2036 is due at its next hour."""

        async def main(house: House) -> None:
            house.clock.synchronised = False
            await house.is_set_by(10 * YEAR)
            await house.scheduler.schedules.put(hourly())
            await house.is_set_by(-10 * YEAR)
            await house.passes(HOUR)
            assert [due_at for _, due_at, _ in house.did] == [at(60)]

        lives(main)

    def test_it_is_over_where_a_clock_begins_anew(self) -> None:
        """What was noticed while a node waited for its clock to be set is not acted on once it is."""

        async def main() -> None:
            clock = VirtualClock(NOW)
            clock.step(10 * YEAR / SECOND)
            assert clock.now() == NOW
            assert clock.doubt is not None
            clock.start(None)
            assert (clock.doubt, clock.take_step(), clock.now()) == (None, None, NOW + 10 * YEAR)

        in_virtual_time(main)

    @pytest.mark.parametrize("years", [10, -10])
    def test_what_ends_before_anybody_has_looked_ends_by_the_old_course(self, years: int) -> None:
        """Its next attempt, and the next run of a fixed delay, are not put off for ten years, nor made at once."""
        begun: list[tuple[str, float]] = []

        async def work(run: RunContext) -> None:
            begun.append((run.schedule, trio.current_time()))
            await trio.sleep(10)
            if run.attempt == 1 and run.schedule == "fails":
                raise OSError("not yet")

        async def main() -> None:
            async with a_node({"work": work}, a_config(), check_interval_s=LOOKS_EVERY_S) as (scheduler, container):
                clock = container.get(Clock)
                assert isinstance(clock, VirtualClock)
                retry = RetryPolicy(1, base_s=60.0, max_s=60.0)
                await scheduler.schedules.put(Schedule("fails", Once(NOW + MINUTE), handler="work", retry=retry))
                await scheduler.schedules.put(Schedule("goes-on", After(60.0), handler="work"))
                began = trio.current_time()
                await trio.sleep(65)
                clock.step(years * YEAR / SECOND)
                await trio.sleep(20)
                clock.step(-years * YEAR / SECOND)
                await trio.sleep(100)
                times = sorted((round(time - began), name) for name, time in begun[:4])
                assert times == [(60, "fails"), (60, "goes-on"), (130, "fails"), (130, "goes-on")]

        in_virtual_time(main)

    def test_a_clock_that_keeps_its_course_is_believed(self) -> None:
        """A minute, and somebody who keeps it right: then it is downtime of that length."""

        async def main(house: House) -> None:
            await house.is_set_by(3 * DAY)
            await house.passes(HOUR)
            assert [due_at for _, due_at, _ in house.did] == [at(72 * 60), at(73 * 60)]
            assert sum(run.count for run in await house.runs()) == 73

        lives(main, hourly())

    def test_a_person_may_say_that_it_is_right(self) -> None:
        """The word is taken once; what was said before the doubt is not."""

        async def main(house: House) -> None:
            house.clock.synchronised = False
            say = Change(documents=[PutDocument(*TRUST, 0, {"by": "eve"})])
            await house.repository.commit([say])
            await house.is_set_by(3 * DAY)
            await house.passes(HOUR)
            assert house.did == []
            await house.repository.commit([say])
            await house.passes(HOUR)
            assert [due_at for _, due_at, _ in house.did] == [at(73 * 60), at(74 * 60)]
            assert await house.repository.get_document(*TRUST) is None

        lives(main, hourly())


async def test_on_a_real_file_every_schedule_is_taken_back_once(tmp_path: Path) -> None:
    """Two hundred and fifty of them, more than a page, in real time: the clock alone leaps, from hour to hour."""
    did: list[tuple[str, int]] = []

    async def work(run: RunContext) -> None:
        did.append((run.schedule, round(run.due_at.timestamp() * SECOND)))
        if len(did) % 250 == 0:
            all_did.set()

    def store(_: Container) -> ScheduleRepository:
        return SqliteScheduleRepository(tmp_path / "trioarm.db")

    start_at = NOW + 59 * MINUTE + 59 * SECOND
    async with a_node({"work": work}, a_config(), store=store, start_at=start_at, check_interval_s=0.05) as (
        scheduler,
        container,
    ):
        clock, repository = container.get(Clock), container.get(ScheduleRepository)
        assert isinstance(clock, VirtualClock)
        schedules = [Schedule(f"s{n}", Cron("0 * * * *"), handler="work") for n in range(250)]
        await scheduler.schedules.put_many(schedules)
        with scheduler.subscribe(ClockStepped) as seen, trio.fail_after(60):
            for step_s in (1.0, 3600.0, 3600.0, 3600.0, 3600.0, -4 * 3600.0 + 60.0):
                all_did = trio.Event()
                clock.step(step_s)
                if step_s > 0:
                    await all_did.wait()
            async for event in seen:
                if isinstance(event, ClockStepped) and event.kind is StepKind.CORRECTION:
                    break
            ahead = await repository.read_ahead(clock.now())
        assert ahead == []
        assert len(did) == len(set(did)) == 5 * 250
        kept = await repository.get_schedules([schedule.name for schedule in schedules])
        assert {(record.epoch, len(record.amendments)) for record in kept if record is not None} == {(1, 4)}
        assert {record.next_due_at for record in kept if record is not None} == {NOW + 2 * HOUR}


def test_what_somebody_changes_while_it_is_taken_back_is_taken_back_all_the_same() -> None:
    """Its change is refused then, and made once more: else it would stand still until the clock has caught up."""

    async def main() -> None:
        async with a_world(check_interval_s=60.0) as world:
            await world.start({"work": nothing}, a_config())
            await world.scheduler.schedules.put(Schedule("a", Every(60.0), handler="work"))
            await world.advance(600)
            world.step(-14_400)
            world.plant(Fault.REFUSED)
            await world.advance(600)
            rows = await all_runs(world.living[0].repository, "a")
            assert [row.epoch for row in rows if row.nominal_at <= world.wall()].count(1) >= 8

    in_virtual_time(main)


def test_a_fixed_delay_whose_run_ends_while_it_is_taken_back_goes_on() -> None:
    """Both at the same moment, in whatever order: the next one follows the end of that run."""

    async def main() -> None:
        async with a_world(check_interval_s=60.0) as world:
            await world.start({"work": takes_a_minute}, a_config())
            await world.scheduler.schedules.put(Schedule("a", After(60.0), handler="work", timeout_s=90.0))
            await trio.sleep(120)
            world.step(-14_400)
            await world.advance(300)
            assert (await world.scheduler.schedules.get("a")).next_due_at is not None or any(
                row.unfinished for row in await all_runs(world.living[0].repository, "a")
            )

    for _ in range(20):  # the order of tasks is drawn
        in_virtual_time(main)


@pytest.mark.parametrize("is_kept_late", [False, True])
def test_another_attempt_that_was_planned_by_a_wrong_clock_need_not_wait_for_it(is_kept_late: bool) -> None:
    """Though nothing was decided by that clock: the retry of what began before it strayed would be a day late.

    The store may be so slow that the outcome is kept only after the clock was corrected.
    """
    began: list[int] = []

    async def main() -> None:
        async def breaks(run: RunContext) -> None:
            began.append(world.wall())
            if len(began) == 1:
                await trio.sleep(60)
                if is_kept_late:
                    world.plant(Fault.SLOW)
                raise ValueError("boom")

        async with a_world() as world:
            await world.start({"work": breaks}, a_config())
            first_at = world.wall() + MINUTE
            once = Schedule("a", Once(first_at), handler="work", retry=RetryPolicy(3, 600.0, 600.0))
            await world.scheduler.schedules.put(once)
            await world.advance(90)
            world.step(80_000)
            await world.advance(32)
            world.step(-80_000)
            await world.advance(300)
            [run] = await all_runs(world.living[0].repository, "a")
            assert (run.state, run.attempt) == (State.SUCCEEDED, 2)
            assert began == [first_at, pytest.approx(first_at + 70 * SECOND, abs=10 * SECOND)]

    in_virtual_time(main)
