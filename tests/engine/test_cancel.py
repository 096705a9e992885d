"""Cancelling: by a person, or by a newer run of the lane (S5.5, S6.3)."""

from __future__ import annotations

import pytest
import trio

from tests.world import a_node, all_runs, in_virtual_time
from trioarm import (
    Every,
    InMemoryScheduleRepository,
    InvalidSchedule,
    Once,
    Reason,
    RunContext,
    State,
    UnknownRun,
)
from trioarm.core.run import RunRecord

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
            (run,) = await rows_of(repository, once())
            assert (run.state, run.reason, run.error) == (State.CANCELLED, Reason.USER, "OSError: again later")
            with pytest.raises(InvalidSchedule, match=r"^one@2026-11-23T22:00:10Z is cancelled already$"):
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
