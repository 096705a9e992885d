"""`pause_after_failures`: what keeps failing is paused with the outcome that was one too many (S5.9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.world import in_virtual_time
from trioarm import (
    After,
    AlertQuery,
    AlertState,
    Cron,
    Discard,
    Overlap,
    RetryPolicy,
    RunContext,
    RunQuery,
    Schedule,
    ScheduleQuery,
    Scheduler,
    ScheduleState,
    State,
)
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.instants import MINUTE, as_datetime
from trioarm.core.operations import JOURNAL, Verb, read_operation
from trioarm.testing import Fault, FileStore, MemoryDisk, Store, World, a_world
from trioarm.testing.world import BEGIN

NEVER = RetryPolicy(max_retries=0)
Play = Callable[[World], Awaitable[None]]


class Flaky:
    """A handler that fails at the occurrences whose minute is named, at any other goes well."""

    def __init__(self, *bad: int) -> None:
        self.bad = bad
        self.called: list[int] = []

    async def __call__(self, run: RunContext) -> None:
        """Take a second."""
        minute = (run.nominal_at - as_datetime(BEGIN)).seconds // 60
        self.called.append(minute)
        await trio.sleep(1)
        if minute in self.bad:
            raise OSError(f"no answer at {minute}")


def minutely(name: str = "poll", failures: int | None = 3, **policies: Any) -> Schedule:
    """Return a schedule of every minute that is paused after so many failures."""
    policies = {"retry": NEVER, "trigger": Cron("* * * * *"), **policies}
    return Schedule(name, policies.pop("trigger"), handler="flaky", pause_after_failures=failures, **policies)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each kind of store."""
    return MemoryDisk() if request.param == "memory" else FileStore(tmp_path / "a.db")


def played(store: Store, handler: Any, play: Play, *schedules: Schedule, **world: Any) -> None:
    """Let a play take its course in a world with one node."""

    async def main() -> None:
        async with a_world(store, **world) as made:
            await made.start({"flaky": handler})
            await made.scheduler.schedules.put_many(schedules or [minutely()])
            await play(made)

    in_virtual_time(main)


async def state_of(scheduler: Scheduler, name: str = "poll") -> ScheduleState:
    """Return where a schedule is."""
    return (await scheduler.schedules.get(name)).state


def test_the_last_of_so_many_failures_in_a_row_pauses_the_schedule(store: Store) -> None:
    """A success between them begins anew; the pause has its author, reason, alert and entry, all at once (S5.9)."""
    handler = Flaky(1, 2, 4, 5, 6, 7, 8)

    async def play(world: World) -> None:
        with world.scheduler.subscribe(ScheduleChanged) as changes:
            await world.advance(5 * 60 + 30)
            assert await state_of(world.scheduler) is ScheduleState.ACTIVE
            await world.advance(60)
            poll = await world.scheduler.schedules.get("poll")
            assert poll.state is ScheduleState.PAUSED
            assert poll.pause is not None
            last = "poll@2026-11-23T22:06:00Z"
            said = f"3 failed in a row, the last one {last}: OSError: no answer at 6"
            assert (poll.pause.author, poll.pause.note) == ("trioarm", said)
            [run] = (await world.scheduler.runs.find(RunQuery(schedule="poll", descending=True, limit=1))).rows
            assert run.finished_at == as_datetime(poll.pause.since_at)
            [alert] = (await world.scheduler.alerts.find()).rows
            assert alert.alert is not None
            assert (alert.alert.subject, alert.alert.kind, alert.alert.run) == ("schedule/poll", "paused", last)
            assert (alert.alert.text, alert.alert.raised_at) == (f"it is paused: {said}", poll.pause.since_at)
            assert alert.alert.advice == "remove the cause, then `trioarm schedules resume poll`"
            entries = await world.scheduler._repository.read_journal(JOURNAL)
            operation = read_operation(entries[-1])
            assert (operation.actor, operation.verb, operation.note) == ("trioarm", Verb.PAUSE, said)
            await world.advance(300)
            assert handler.called == [1, 2, 3, 4, 5, 6]
            assert await changes.__anext__() == ScheduleChanged("poll", ScheduleChange.PAUSED, said)

    played(store, handler, play)


def test_after_a_resume_the_row_goes_on_until_a_run_succeeds(store: Store) -> None:
    """The next failure is the next in the same row; a success ends it."""
    handler = Flaky(1, 2, 4, 6, 7)

    async def play(world: World) -> None:
        await world.advance(3 * 60 - 30)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        await world.advance(60)
        await world.scheduler.schedules.resume("poll")
        await world.advance(60)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        await world.scheduler.schedules.resume("poll")
        await world.advance(2 * 60)
        assert await state_of(world.scheduler) is ScheduleState.ACTIVE
        await world.advance(60)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        assert handler.called == [1, 2, 4, 5, 6, 7]
        alerts = (await world.scheduler.alerts.find(AlertQuery(states=None))).rows
        assert [alert.state for alert in alerts] == [AlertState.RESOLVED, AlertState.RESOLVED, AlertState.OPEN]

    played(store, handler, play, minutely(failures=2))


def test_what_is_resumed_with_others_complains_no_more(store: Store) -> None:
    """As where it is resumed alone: its alert is resolved, and no other; a dry run resolves none (S5.9)."""

    async def play(world: World) -> None:
        await world.advance(2 * 60 + 30)
        scheduler = world.scheduler
        assert len((await scheduler.alerts.find()).rows) == 3
        await scheduler.schedules.resume_many(ScheduleQuery(prefix="a"), dry_run=True)
        assert len((await scheduler.alerts.find()).rows) == 3
        await scheduler.schedules.resume_many(ScheduleQuery(prefix="a"), author="anna")
        [left] = (await scheduler.alerts.find()).rows
        assert left.alert is not None
        assert left.alert.subject == "schedule/b"
        rows = (await scheduler.alerts.find(AlertQuery(states=frozenset({AlertState.RESOLVED})))).rows
        assert {row.alert.resolved.by for row in rows if row.alert and row.alert.resolved} == {"anna"}

    played(store, Flaky(1, 2), play, *(minutely(name, failures=2) for name in ("a1", "a2", "b")))


def test_every_final_failure_counts_and_nothing_else() -> None:
    """Timeouts, discarded and stuck runs do; what is cancelled or tried again neither counts nor ends the row."""

    async def odd(run: RunContext) -> None:
        match (run.nominal_at - as_datetime(BEGIN)).seconds // 60:
            case 1:
                raise Discard("useless")
            case 2 if run.attempt == 1:
                raise OSError("tried again")
            case 3:
                with trio.CancelScope(shield=True):
                    await trio.sleep(40)
            case _:
                await trio.sleep_forever()

    async def play(world: World) -> None:
        scheduler = world.scheduler
        await world.advance(2 * 60 + 8)
        await scheduler.runs.cancel("poll@2026-11-23T22:02:00Z")
        await world.advance(37)
        assert await state_of(scheduler) is ScheduleState.ACTIVE
        await world.advance(35)
        assert await state_of(scheduler) is ScheduleState.ACTIVE
        await world.advance(60)
        assert await state_of(scheduler) is ScheduleState.PAUSED
        rows = (await scheduler.runs.find(RunQuery(schedule="poll"))).rows
        assert [run.state for run in rows] == [State.FAILED, State.CANCELLED, State.TIMED_OUT, State.TIMED_OUT]

    schedule = minutely(timeout_s=10.0, retry=RetryPolicy(1, base_s=1, never=["TimeoutError"]))
    played(MemoryDisk(), odd, play, schedule)


def test_runs_that_fail_at_the_same_instant_are_counted_one_after_the_other(store: Store) -> None:
    """Three runs of one schedule end at once: it is paused with the third, and every one of them is recorded."""

    async def fails(run: RunContext) -> None:
        await trio.sleep_until(round(trio.current_time()) + 5)
        raise OSError("down")

    async def play(world: World) -> None:
        for _ in range(3):
            await world.scheduler.runs.fire("poll")
        await world.advance(10)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        rows = (await world.scheduler.runs.find(RunQuery(schedule="poll"))).rows
        assert [run.state for run in rows] == [State.FAILED] * 3
        assert len((await world.scheduler.alerts.find()).rows) == 1

    played(store, fails, play, minutely(overlap=Overlap.ALLOW))


def test_a_fixed_delay_is_paused_and_goes_on_where_it_was(store: Store) -> None:
    """Its next occurrence counts from the end of the run that failed; resumed, it runs again."""

    async def fails(run: RunContext) -> None:
        raise OSError("down")

    async def play(world: World) -> None:
        await world.advance(150)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        await world.scheduler.schedules.resume("poll")
        assert (await world.scheduler.schedules.get("poll")).next_due_at == as_datetime(BEGIN + 3 * MINUTE)
        await world.advance(60)
        rows = (await world.scheduler.runs.find(RunQuery(schedule="poll"))).rows
        assert [run.state for run in rows] == [State.FAILED] * 3

    played(store, fails, play, minutely(failures=2, trigger=After(60)))


def test_what_is_postponed_into_the_pause_is_skipped_with_it(store: Store) -> None:
    """As in a pause of a person's making."""
    handler = Flaky(1, 2)

    async def play(world: World) -> None:
        await world.scheduler.schedules.postpone("poll", BEGIN + 2 * MINUTE, until=BEGIN + 2 * MINUTE + 30_000_000)
        await world.advance(2 * 60 + 5)
        run = await world.scheduler.runs.fire("poll")
        await world.advance(5)
        assert (await world.scheduler.runs.get(run.id)).state is State.FAILED
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        skipped = await world.scheduler.runs.get("poll@2026-11-23T22:02:00Z")
        assert skipped.state is State.SKIPPED

    played(store, handler, play, minutely(failures=2))


def test_a_handler_that_takes_its_node_down_again_and_again_is_paused(store: Store) -> None:
    """A run that lost its node once too often has failed, and counts: here nobody lives to record an outcome."""

    async def hangs(run: RunContext) -> None:
        await trio.sleep_forever()

    async def play(world: World) -> None:
        for _ in range(4):
            await world.advance(120)
            world.kill(world.living[0])
            await world.start({"flaky": hangs})
        await world.advance(120)
        run = await world.scheduler.runs.get("poll@2026-11-23T22:01:00Z")
        assert (run.state, run.attempt) == (State.FAILED, 4)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        assert len((await world.scheduler.alerts.find()).rows) == 1

    played(store, hangs, play, minutely(failures=1, trigger=Cron("1 22 * * *"), timeout_s=86400.0))


@pytest.mark.parametrize("fault", list(Fault))
def test_outcome_and_pause_are_one_transaction(store: Store, fault: Fault) -> None:
    """Whatever becomes of the commit of the last failure, in the end run and pause are both kept, once."""
    handler = Flaky(1, 2, 3)

    async def play(world: World) -> None:
        await world.advance(2 * 60 + 0.5)
        world.plant(fault)
        await world.advance(30)
        assert await state_of(world.scheduler) is ScheduleState.PAUSED
        rows = (await world.scheduler.runs.find(RunQuery(schedule="poll"))).rows
        assert [run.state for run in rows] == [State.FAILED] * 2
        assert len((await world.scheduler.alerts.find()).rows) == 1

    played(store, handler, play, minutely(failures=2))


def test_a_history_that_cannot_be_asked_keeps_the_outcome_waiting(store: Store) -> None:
    """It is asked again; the run is not recorded without the pause it makes necessary."""
    handler = Flaky(1, 2)

    async def play(world: World) -> None:
        await world.advance(2 * 60 + 0.5)
        assert world.calls["find_runs"] == 1
        world.plant(Fault.BEFORE, "find_runs")
        await world.advance(10)
        assert world.calls["find_runs"] == 3
        assert await state_of(world.scheduler) is ScheduleState.PAUSED

    played(store, handler, play, minutely(failures=2))


def test_without_a_word_nothing_is_paused_or_asked() -> None:
    """It is off by default, and costs no question then."""
    handler = Flaky(*range(1, 10))

    async def play(world: World) -> None:
        await world.advance(9 * 60 + 30)
        assert await state_of(world.scheduler) is ScheduleState.ACTIVE
        assert world.calls["find_runs"] == 0
        assert handler.called == [*range(1, 10)]

    played(MemoryDisk(), handler, play, minutely(failures=None))


def test_what_is_paused_already_stays_as_it_is() -> None:
    """A run that fails in the pause of a person takes nothing over; one whose limit is gone pauses nothing."""
    handler = Flaky(1, 2, 3, 4)

    async def play(world: World) -> None:
        await world.advance(60.5)
        await world.scheduler.schedules.pause("poll", author="anna", note="guests")
        await world.advance(60)
        poll = await world.scheduler.schedules.get("poll")
        assert poll.pause is not None
        assert poll.pause.author == "anna"
        assert not (await world.scheduler.alerts.find()).rows
        await world.scheduler.schedules.resume("poll")
        await world.advance(60)
        await world.scheduler.schedules.put(minutely(failures=None))
        await world.advance(5)
        assert handler.called == [1, 3]
        assert await state_of(world.scheduler) is ScheduleState.ACTIVE

    played(MemoryDisk(), handler, play, minutely(failures=1))
