"""The facade's commands on runs and its questions to a node: fire, retry, wait, preview, explain, health, counts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio

from tests.making import NOW
from tests.world import a_node, in_virtual_time
from trioarm import (
    Cron,
    Every,
    InMemoryScheduleRepository,
    InvalidSchedule,
    Origin,
    Overlap,
    Reason,
    Retry,
    RunContext,
    RunQuery,
    Scheduler,
    SchedulerStopped,
    State,
    UnknownRun,
    UnknownSchedule,
)
from trioarm.core.events import RunDecided, RunFinished, RunRequeued, RunStarted
from trioarm.core.instants import DAY, SECOND
from trioarm.core.jitter import jitter_of
from trioarm.engine.health import Level

from .nodes import NEVER_AGAIN, a_config, at, every, keeping, once, rows_of, runs_after

UNKNOWN_ID = "one@2026-11-23T22:00:10Z"


async def echoes(run: RunContext) -> object:
    """Return what it was told, after a second."""
    await trio.sleep(1)
    return {"args": run.args, "nominal": run.nominal_at.isoformat(), "attempt": run.attempt}


def with_a_node(main: Any, handler: Any = echoes, **settings: Any) -> Any:
    """Run `main(scheduler, repository)` on a node with the handler `work`."""

    async def node() -> Any:
        repository = InMemoryScheduleRepository()
        nodes = a_node({"work": handler}, a_config(**settings), store=keeping(repository), check_interval_s=60)
        async with nodes as (scheduler, _):
            return await main(scheduler, repository)

    return in_virtual_time(node)


def test_firing_runs_a_schedule_now() -> None:
    """Beside its own occurrences, with other arguments if wanted, even while it is paused (S5.3)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(once(seconds=5000, args={"to": "all"}))
        first = await scheduler.runs.fire("one")
        assert (first.origin, first.state, first.schedule) == (Origin.MANUAL, State.PENDING, "one")
        assert first.id == "one@2026-11-23T22:00:00Z+manual"
        ended = await scheduler.runs.wait(first.id)
        assert (ended.state, ended.result["args"]) == (State.SUCCEEDED, {"to": "all"})
        await scheduler.schedules.pause("one")
        second = await scheduler.runs.wait((await scheduler.runs.fire("one", {"to": "me"})).key)
        assert second.result["args"] == {"to": "me"}
        assert (await scheduler.schedules.get("one")).runs == 0
        twice = [await scheduler.runs.fire("one") for _ in range(3)]
        assert len({run.id for run in twice}) == 3

    with_a_node(main)


def test_firing_what_is_not_there() -> None:
    """The message names it."""

    async def main(scheduler: Scheduler, _: object) -> None:
        with pytest.raises(UnknownSchedule, match=r"^there is no schedule 'ghost'$"):
            await scheduler.runs.fire("ghost")

    with_a_node(main)


def test_a_final_run_can_be_repeated() -> None:
    """As a new run with the old arguments that points to the old one and changes nothing in it (S2.4)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put(once(seconds=5000))
        fired = await scheduler.runs.fire("one", {"to": "me"})
        with pytest.raises(InvalidSchedule, match=rf"^run {fired.key} is still pending: cancel it first, or wait$"):
            await scheduler.runs.retry(fired.id)
        old = await scheduler.runs.wait(fired.id)
        again = await scheduler.runs.retry(fired.id)
        assert again.origin is Origin.RETRY
        assert (await scheduler.runs.wait(again.id)).result["args"] == {"to": "me"}
        record = await repository.get_run(again.key)
        assert record is not None
        assert record.retry_of == old.key
        assert await scheduler.runs.get(fired.id) == old
        await scheduler.schedules.remove("one")
        with pytest.raises(InvalidSchedule, match=rf"^the schedule one of run {old.key} was removed$"):
            await scheduler.runs.retry(old.key)
        with pytest.raises(UnknownRun, match="there is no run 4711"):
            await scheduler.runs.retry(4711)

    with_a_node(main)


def test_waiting_ends_with_the_run() -> None:
    """Attempts in between do not count; a run that is final is there at once."""

    async def works_at_last(run: RunContext) -> str:
        if run.attempt < 3:
            raise Retry(after_s=100)
        return "done"

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(once())
        await trio.sleep(11)
        run = await scheduler.runs.wait(UNKNOWN_ID)
        assert (run.state, run.result, run.attempt) == (State.SUCCEEDED, "done", 3)
        before = trio.current_time()
        assert await scheduler.runs.wait(run.key) == run
        assert trio.current_time() == before

    with_a_node(main, works_at_last)


def test_waiting_for_a_run_that_never_ran_ends_too() -> None:
    """Cancelled, superseded and removed are ends."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(once(seconds=5000, handler="elsewhere"))
        ended: list[State] = []

        async def wait(run_id: str) -> None:
            ended.append((await scheduler.runs.wait(run_id)).state)

        async with trio.open_nursery() as nursery:
            first, second = await scheduler.runs.fire("one"), await scheduler.runs.fire("one")
            nursery.start_soon(wait, first.id)
            nursery.start_soon(wait, second.id)
            await trio.sleep(1)
            await scheduler.runs.cancel(first.id)
            await trio.sleep(1)
            assert ended == [State.CANCELLED]
            await scheduler.schedules.remove("one")
        assert ended == [State.CANCELLED, State.CANCELLED]

    with_a_node(main)


def test_waiting_for_what_is_not_there() -> None:
    """An unknown run is no reason to wait."""

    async def main(scheduler: Scheduler, _: object) -> None:
        with pytest.raises(UnknownRun, match="there is no run 'one@2026-11-23T22:00:10Z', or it is no longer kept"):
            await scheduler.runs.wait(UNKNOWN_ID)

    with_a_node(main)


def test_waiting_ends_with_the_node() -> None:
    """Whoever waits when the scheduler stops is told so."""
    messages: list[str] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery, a_node({}, a_config()) as (scheduler, _):
            await scheduler.schedules.put(once(handler="elsewhere"))
            await trio.sleep(11)

            async def wait() -> None:
                with pytest.raises(SchedulerStopped) as caught:
                    await scheduler.runs.wait(UNKNOWN_ID)
                messages.append(str(caught.value))

            nursery.start_soon(wait)
            await trio.sleep(1)

    in_virtual_time(main)
    assert messages == [f"the scheduler stopped before run {UNKNOWN_ID} ended"]


def test_somebody_who_still_listens_does_not_break_later_commands() -> None:
    """After the node has stopped nobody hears of anything any more; the repository may be asked all the same."""

    async def main() -> None:
        async with a_node() as (scheduler, _):
            pass
        with scheduler.subscribe() as events:
            await scheduler.schedules.put(once())
            assert [event async for event in events] == []

    in_virtual_time(main)


def test_runs_are_found_by_page() -> None:
    """Filters, order and keyset pages are those of the query."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(every("each", Every(60)))
        await trio.sleep(605)
        page = await scheduler.runs.find(RunQuery(schedule="each", limit=4))
        seen = [run.nominal_at for run in page.rows]
        while page.next is not None:
            page = await scheduler.runs.find(RunQuery(schedule="each", limit=4, after=page.next))
            seen += [run.nominal_at for run in page.rows]
        assert len(seen) == len(set(seen)) == 10
        assert seen == sorted(seen)
        assert (await scheduler.runs.find(RunQuery(schedule="each", states=frozenset({State.FAILED})))).rows == []

    with_a_node(main)


def test_a_preview_says_what_then_happens() -> None:
    """It is made by the planner itself, and changes nothing."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        schedules = [every("daily", Cron("30 2 * * *", "Europe/Prague")), every("often", Every(3 * 3600), max_runs=20)]
        await scheduler.schedules.put_many(schedules)
        seen = await scheduler.preview(days=3, names=["daily", "often"])
        assert (await scheduler.schedules.get("often")).revision == 1
        await trio.sleep(3 * DAY / 1e6 + 10)
        rows = await rows_of(repository, *schedules)
        assert [(item.schedule.name, item.due_at) for item in seen] == [
            (run.schedule.schedule.name, run.nominal_at) for run in rows
        ]
        assert len(rows) == 3 + 20
        assert await scheduler.preview(days=3, names=["often"]) == []

    with_a_node(main)


def test_a_schedule_is_explained() -> None:
    """In words, with the next instants in its own zone."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(every("daily", Cron("30 2 * * *", "Europe/Prague"), overlap=Overlap.ALLOW))
        told = await scheduler.explain("daily")
        assert told.name == "daily"
        assert "02:30" in told.rule
        assert told.next_at[0].isoformat() == "2026-11-24T02:30:00+01:00"
        assert "its runs may overlap" in told.policies
        with pytest.raises(UnknownSchedule, match="there is no schedule 'ghost'"):
            await scheduler.explain("ghost")

    with_a_node(main)


def test_a_node_is_healthy_until_something_is_wrong() -> None:
    """Every component answers, and the node is as healthy as the worst of them."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await trio.sleep(1)
        report = await scheduler.health()
        assert [item.component for item in report.components] == [
            "engine",
            "executor",
            "recorder",
            "repository",
            "clock",
            "work",
        ]
        assert report.level is Level.HEALTHY
        await scheduler.schedules.put_many([once(f"stray{index}", handler="elsewhere") for index in range(7)])
        await trio.sleep(100)
        report = await scheduler.health()
        assert report.level is Level.DEGRADED
        (work,) = [item for item in report.components if item.level is not Level.HEALTHY]
        assert len(work.reasons) == 6
        assert work.reasons[-1] == "and more"

    with_a_node(main)


def test_counts_add_up() -> None:
    """What was decided, called, tried again and finished, from the node and from what is kept."""

    async def work(run: RunContext) -> None:
        await trio.sleep(2)
        if run.schedule == "fails":
            raise OSError("no")

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put_many(
            [once("fails"), once("works"), once("hangs", timeout_s=3, retry=NEVER_AGAIN), once("stray", handler="x")]
        )
        await trio.sleep(11)
        assert scheduler.metrics().running == 3
        await trio.sleep(100)
        counts = scheduler.metrics()
        assert sum(counts.decided.values()) == 4
        assert counts.finished == {State.SUCCEEDED: 2, State.FAILED: 1}
        assert (counts.attempts, sum(counts.retries.values()), counts.refused) == (6, 3, 0)
        assert (counts.queued, counts.running) == (0, 0)
        assert sum(count for _, count in counts.took_s) == 6
        assert sum(count for _, count in counts.late_s) == 6
        statistics = await scheduler.statistics()
        assert statistics.runs == {State.SUCCEEDED: 2, State.FAILED: 1, State.PENDING: 1}
        assert statistics.occurrences == statistics.runs
        assert statistics.oldest_pending_at == at(10)
        assert scheduler.node
        assert re.fullmatch(r"[0-9a-f]{8}", scheduler.node)

    with_a_node(main, work)


def test_events_tell_the_story_of_a_run_in_order() -> None:
    """Decided, begun, waiting again, begun, ended: each once, each with the run as it was then (S6.9)."""

    async def work(run: RunContext) -> None:
        await trio.sleep(5)
        if run.attempt == 1:
            raise OSError("at first")

    async def main(scheduler: Scheduler, _: object) -> None:
        with scheduler.subscribe(RunDecided, RunStarted, RunRequeued, RunFinished) as events:
            await scheduler.schedules.put(once())
            seen = []
            async for event in events:
                if event.run.schedule == "one":
                    seen.append((type(event), event.run.state, event.run.attempt))
                if isinstance(event, RunFinished):
                    break
        assert seen == [
            (RunDecided, State.CLAIMED, 1),
            (RunStarted, State.RUNNING, 1),
            (RunRequeued, State.PENDING, 1),
            (RunStarted, State.RUNNING, 2),
            (RunFinished, State.SUCCEEDED, 2),
        ]

    with_a_node(main, work)


def test_a_skipped_occurrence_says_why() -> None:
    """While a run works, the next occurrence of the schedule is skipped, and listed (S5.4)."""

    async def slow(run: RunContext) -> None:
        await trio.sleep(90)

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(every("each", Every(60)))
        await trio.sleep(121)
        first, second = (await scheduler.runs.find(RunQuery(schedule="each"))).rows
        assert (first.state, second.state, second.reason) == (State.RUNNING, State.SKIPPED, Reason.OVERLAP)
        assert (second.started_at, second.attempt, second.token) == (None, 0, 0)
        assert second.nominal_at.timestamp() == NOW / 1e6 + 120

    with_a_node(main, slow)


def test_an_occurrence_with_jitter_starts_when_its_hash_says() -> None:
    """The handler is called then, and neither a skip nor the next occurrence is in its way."""
    began: list[float] = []

    async def work(run: RunContext) -> None:
        began.append(trio.current_time())

    schedule = every("spread", Every(100.0, anchor=at(0)), jitter_s=50.0)
    runs = runs_after(305, work, schedule)
    later = [jitter_of(schedule, at(start), at(start + 100)) / SECOND for start in (100, 200, 300)]
    expected = [start + more for start, more in zip((100, 200, 300), later, strict=True) if start + more < 305]
    assert began == pytest.approx(expected, abs=0.01)
    assert [run.state for run in runs][: len(began)] == [State.SUCCEEDED] * len(began)
