"""Cancelling by a person, a newer run of the lane or the end of the node; and handlers that will not listen (S6.3)."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.world import a_node, all_runs, in_virtual_time
from trioarm import (
    Delivery,
    Every,
    InMemoryScheduleRepository,
    InvalidSchedule,
    Once,
    Reason,
    RunContext,
    Scheduler,
    State,
    UnknownRun,
)
from trioarm.core.events import Event, HandlerStuck, RunFinished
from trioarm.core.run import RunRecord
from trioarm.engine.attempt import STUCK_GRACE_S
from trioarm.engine.health import Level
from trioarm.engine.hub import Subscription

from .nodes import NEVER_AGAIN, a_config, at, every, keeping, once, rows_of


def outcomes(rows: list[RunRecord]) -> list[tuple[str, State, Reason | None]]:
    """Return name, state and reason of each row."""
    return [(run.schedule.schedule.name, run.state, run.reason) for run in rows]


def test_a_run_that_waits_for_its_time_is_cancelled_at_once() -> None:
    """A pending run takes its last step within the command, is not called again, and a second cancel says so."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.id)
        raise OSError("again later")

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(10.5)
            (run,) = await rows_of(repository, once())
            assert run.state is State.PENDING
            await scheduler.runs.cancel(run.run_id)
            assert (run.state, run.reason, run.error) == (State.CANCELLED, Reason.USER, "OSError: again later")
            with pytest.raises(InvalidSchedule, match=f"^run {run.run_id} is cancelled already$"):
                await scheduler.runs.cancel(run.run_id)
            await trio.sleep(600)
            assert len(called) == 1

    in_virtual_time(main)


def test_a_run_queued_for_a_worker_is_cancelled_without_being_called() -> None:
    """A claimed run that no worker has begun ends cancelled as soon as a worker comes to it."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.schedule)
        await trio.sleep(30)

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedules = once("first"), once("second"), once("third")
        config = a_config(workers=1, held=3)
        async with a_node({"work": work}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(11)
            assert scheduler.metrics().queued == 2
            (second,) = await rows_of(repository, schedules[1])
            assert second.state is State.CLAIMED
            await scheduler.runs.cancel("second@2026-11-23T22:00:10Z")
            await trio.sleep(600)
            return await rows_of(repository, *schedules)

    rows = in_virtual_time(main)
    assert called == ["first", "third"]
    assert outcomes(rows) == [
        ("first", State.SUCCEEDED, None),
        ("second", State.CANCELLED, Reason.USER),
        ("third", State.SUCCEEDED, None),
    ]
    assert rows[1].started_at is None


def test_a_running_handler_is_cancelled_and_not_tried_again() -> None:
    """A person's word ends the run, although retries are left; what the handler does on its way out is its affair."""
    cleaned: list[float] = []

    async def work(run: RunContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)
            cleaned.append(trio.current_time())
            raise OSError("while cleaning up")

    async def main() -> RunRecord:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(20)
            await scheduler.runs.cancel("one@2026-11-23T22:00:10Z")
            run = await scheduler.runs.wait("one@2026-11-23T22:00:10Z")
            assert (run.state, run.reason) == (State.CANCELLED, Reason.USER)
            await trio.sleep(600)
            (record,) = await rows_of(repository, once())
            return record

    run = in_virtual_time(main)
    assert (run.state, run.attempt, run.finished_at) == (State.CANCELLED, 1, at(22))
    assert len(cleaned) == 1


def test_cancelling_what_there_is_not() -> None:
    """An id that names no run says that it may be gone, one that is no id shows what an id looks like."""

    async def main() -> None:
        async with a_node() as (scheduler, _):
            with pytest.raises(
                UnknownRun, match=r"^there is no run 'one@2026-11-23T22:00:10Z', or it is no longer kept$"
            ):
                await scheduler.runs.cancel("one@2026-11-23T22:00:10Z")
            with pytest.raises(UnknownRun, match="write it like arm-night@2026"):
                await scheduler.runs.cancel("yesterday")

    in_virtual_time(main)


def test_the_older_run_of_a_superseding_lane_is_cancelled() -> None:
    """Its handler is stopped, the newer one begins after it has ended, and both rows say what happened (S5.5)."""
    log: list[tuple[str, str, float]] = []

    async def work(run: RunContext) -> None:
        log.append((run.schedule, "begins", trio.current_time()))
        try:
            await trio.sleep(100)
        finally:
            log.append((run.schedule, "ends", trio.current_time()))

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedules = [
            every(name, Once(at(seconds)), lane="house", supersede=True)
            for name, seconds in (("arm", 10), ("disarm", 50))
        ]
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(600)
            return await rows_of(repository, *schedules)

    rows = in_virtual_time(main)
    began = log[0][2]
    assert [(name, what, when - began) for name, what, when in log] == [
        ("arm", "begins", 0),
        ("arm", "ends", pytest.approx(40)),
        ("disarm", "begins", pytest.approx(40)),
        ("disarm", "ends", pytest.approx(140)),
    ]
    assert outcomes(rows) == [
        ("arm", State.CANCELLED, Reason.SUPERSEDED),
        ("disarm", State.SUCCEEDED, None),
    ]


def test_a_run_that_fails_in_the_very_moment_it_is_superseded_is_not_tried_again() -> None:
    """Whoever comes first, failure or cancellation: nothing of the older run happens after the newer one (S5.5)."""
    called: list[tuple[str, int]] = []

    async def work(run: RunContext) -> None:
        called.append((run.schedule, run.attempt))
        if run.schedule == "arm":
            await trio.sleep(40)
            raise OSError("no answer")

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedules = [
            every(name, Once(at(seconds)), lane="house", supersede=True)
            for name, seconds in (("arm", 10), ("disarm", 50))
        ]
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(600)
            return await rows_of(repository, *schedules)

    for _ in range(10):  # trio turns its tasks in any order
        called.clear()
        arm, disarm = in_virtual_time(main)
        assert called == [("arm", 1), ("disarm", 1)]
        assert arm.state in (State.CANCELLED, State.FAILED)
        assert disarm.state is State.SUCCEEDED


class Deaf:
    """A handler that ignores its cancellation until it is let go, at the latest when its context ends."""

    def __init__(self) -> None:
        self.let_go = trio.Event()
        self.called: list[str] = []

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()

    async def __call__(self, run: RunContext) -> None:
        """Wait behind a shield."""
        self.called.append(run.schedule)
        with trio.CancelScope(shield=True):
            await self.let_go.wait()


async def drained(events: Subscription) -> list[Event]:
    """Return what has been published until now."""
    seen: list[Event] = []
    with trio.move_on_after(1):
        async for event in events:
            seen.append(event)
    return seen


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


def test_a_handler_that_ignores_its_cancellation_is_named_and_its_worker_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its run is recorded without it, once; others go on with as many workers as before (S6.3)."""

    async def main() -> None:
        deaf = Deaf()
        repository = InMemoryScheduleRepository()
        config = a_config(workers=1)
        async with a_node({"deaf": deaf, "work": works}, config, store=keeping(repository)) as (scheduler, _):
            with deaf, scheduler.subscribe(HandlerStuck, RunFinished) as events:
                await scheduler.schedules.put_many([once("deaf", handler="deaf", timeout_s=5), once("other", 500)])
                await trio.sleep(10 + 5 + STUCK_GRACE_S + 0.1)
                (run,) = await rows_of(repository, once("deaf"))
                assert (run.state, run.reason, run.attempt) == (State.TIMED_OUT, Reason.STUCK, 1)
                assert run.error == "handler 'deaf' ignores its cancellation; its worker is lost to it"
                report = await scheduler.health()
                executor = next(item for item in report.components if item.component == "executor")
                assert executor.level is Level.DEGRADED
                assert executor.reasons == (f"handler 'deaf' ignores its cancellation (run {run.run_id})",)
                assert await _succeeds(scheduler, "other")
                deaf.let_go.set()
                await trio.sleep(1)
                assert (await scheduler.health()).level is Level.HEALTHY
                assert run.state is State.TIMED_OUT
                seen = await drained(events)
        stuck = [event for event in seen if isinstance(event, HandlerStuck)]
        assert [(event.handler, event.run_id) for event in stuck] == [("deaf", run.run_id)]
        assert len([event for event in seen if isinstance(event, RunFinished) and event.run.schedule == "deaf"]) == 1

    with caplog.at_level(logging.ERROR, "trioarm"):
        in_virtual_time(main)
    assert any("handler 'deaf' has ignored its cancellation for" in record.message for record in caplog.records)


async def _succeeds(scheduler: Scheduler, name: str) -> bool:
    """Say whether a run of a schedule ends well within a minute."""
    run = await scheduler.runs.fire(name)
    with trio.move_on_after(60):
        return (await scheduler.runs.wait(run.id)).state is State.SUCCEEDED
    await scheduler.runs.cancel(run.id)
    return False


def test_a_handler_that_has_lost_a_whole_pool_is_not_called_any_more() -> None:
    """Its runs stay pending, those of other handlers are worked on; once it listens again it is called again (S6.3)."""

    async def main() -> None:
        deaf = Deaf()
        repository = InMemoryScheduleRepository()
        config = a_config(workers=2, check_interval_s=60.0)
        handlers = {"deaf": deaf, "work": works}
        async with a_node(handlers, config, store=keeping(repository), check_interval_s=60) as (scheduler, _):
            with deaf:
                await scheduler.schedules.put_many(
                    [once(f"deaf{index}", handler="deaf", timeout_s=5) for index in range(3)] + [once("other", 500)]
                )
                await trio.sleep(100)
                assert sorted(deaf.called) == ["deaf0", "deaf1"]
                (third,) = await rows_of(repository, once("deaf2"))
                assert third.state is State.PENDING
                for _ in range(5):
                    assert await _succeeds(scheduler, "other")
                assert third.state is State.PENDING
                deaf.let_go.set()
                await trio.sleep(61)
                assert third.state is State.SUCCEEDED
                assert await _succeeds(scheduler, "other")

    in_virtual_time(main)


def test_workers_that_could_not_be_replaced_come_back_with_their_handlers() -> None:
    """However many handlers were deaf at once, a pool is whole again when they return."""

    async def main() -> None:
        one, two = Deaf(), Deaf()
        config = a_config(workers=1)
        async with a_node({"one": one, "two": two, "work": works}, config, check_interval_s=60) as (scheduler, _):
            with one, two:
                await scheduler.schedules.put_many(
                    [
                        once("one", 10, handler="one", timeout_s=5),
                        once("two", 50, handler="two", timeout_s=5),
                        once("other", 5000),
                    ]
                )
                await trio.sleep(100)
                assert (one.called, two.called) == (["one"], ["two"])
                assert not await _succeeds(scheduler, "other")
                one.let_go.set()
                two.let_go.set()
                await trio.sleep(61)
                assert await _succeeds(scheduler, "other")

    in_virtual_time(main)


def test_what_runs_at_most_once_is_called_once() -> None:
    """No retry follows a failure, whatever the retry policy says (S2.2)."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.id)
        raise OSError("no answer")

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = once(delivery=Delivery.AT_MOST_ONCE)
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(600)
            return await rows_of(repository, schedule)

    assert outcomes(in_virtual_time(main)) == [("one", State.FAILED, Reason.ERROR)]
    assert len(called) == 1


def test_what_runs_at_most_once_and_was_called_when_the_node_stopped_is_unknown() -> None:
    """Nobody can tell how far it came, so nobody calls it again (S2.2)."""
    called: list[str] = []

    async def work(run: RunContext) -> None:
        called.append(run.id)
        await trio.sleep_forever()

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        schedule = once(delivery=Delivery.AT_MOST_ONCE)
        config = a_config(drain_s=5)
        async with a_node({"work": work}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(schedule)
            await trio.sleep(15)
        async with a_node({"work": work}, config, store=keeping(repository), start_at=at(20)):
            await trio.sleep(600)
        return await rows_of(repository, schedule)

    assert outcomes(in_virtual_time(main)) == [("one", State.UNKNOWN, Reason.SHUTDOWN)]
    assert len(called) == 1


def test_what_runs_at_most_once_is_claimed_only_for_an_idle_worker() -> None:
    """A claim that waits in a queue could be lost before its call, so it waits for a worker unclaimed (S2.2)."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()

        async def work(run: RunContext) -> None:
            await trio.sleep(30)

        schedules = once("busy"), once("fragile", 15, delivery=Delivery.AT_MOST_ONCE), once("robust", 16)
        async with a_node({"work": work}, a_config(1, 3), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(20)
            states = {run.schedule.schedule.name: run.state for run in await rows_of(repository, *schedules)}
            assert states["busy"] is State.RUNNING
            assert states["fragile"] is State.PENDING
            await trio.sleep(600)
            assert {run.state for run in await rows_of(repository, *schedules)} == {State.SUCCEEDED}

    in_virtual_time(main)


def test_a_fixed_rate_goes_on_after_its_run_is_cancelled() -> None:
    """A cancelled run is the end of that occurrence only."""

    async def work(run: RunContext) -> None:
        if run.nominal_at.minute == 1:
            await trio.sleep_forever()

    async def main() -> list[RunRecord]:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(every("each", Every(60), retry=NEVER_AGAIN))
            await trio.sleep(70)
            await scheduler.runs.cancel("each@2026-11-23T22:01:00Z")
            await trio.sleep(60)
            return [run for run in await all_runs(repository) if run.schedule.schedule.name == "each"]

    states = [run.state for run in in_virtual_time(main)]
    assert states == [State.CANCELLED, State.SUCCEEDED]
