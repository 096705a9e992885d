"""Deciding never waits for workers, and nobody's trouble is another's delay (S2.6, S6.1, S6.6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import Every, InMemoryScheduleRepository, Once, Overlap, Reason, RunContext, Schedule, Scheduler, State
from trioarm.config import SchedulerConfig
from trioarm.core.instants import MINUTE
from trioarm.engine.health import Level
from trioarm.engine.ports import Clock
from trioarm.handlers.housekeeping import CHECK_HEALTH

from .nodes import a_config, at, every, keeping, once, rows_of


async def hangs(run: RunContext) -> None:
    """Never end."""
    await trio.sleep_forever()


def test_with_every_worker_hanging_decisions_are_made_and_other_pools_work() -> None:
    """Occurrences are decided at their instants; a handler with workers of its own starts within a second (S6.1)."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": hangs}, a_config(2, drain_s=0), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(
                [once(f"hangs{index}") for index in range(5)]
                + [every("ticks", Every(60)), once("checks", 30, handler=CHECK_HEALTH)]
            )
            await trio.sleep(190)
            ticks = await rows_of(repository, every("ticks", Every(60)))
            assert [(run.nominal_at, run.decided_at, run.state) for run in ticks] == [
                (at(60), at(60), State.PENDING),
                (at(120), at(120), State.SKIPPED),
                (at(180), at(180), State.SKIPPED),
            ]
            (check,) = await rows_of(repository, once("checks"))
            assert check.state is State.SUCCEEDED
            assert (check.started_at or 0) - at(30) < 1_000_000

    in_virtual_time(main)


def test_a_crowd_that_is_due_at_once_is_decided_as_there_is_room_for_it() -> None:
    """None of it is kept as pending and written a second time by its claim, while workers keep up (S6.2)."""

    async def work(run: RunContext) -> None:
        """Do nothing."""

    async def main() -> None:
        async with a_node({"work": work}, a_config(10, 500)) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"one{index}") for index in range(3_000)])
            await trio.sleep(11)
            metrics = scheduler.metrics()
            assert (metrics.decided[State.CLAIMED], metrics.decided.get(State.PENDING, 0)) == (3_000, 0)
            assert metrics.finished[State.SUCCEEDED] == 3_000

    in_virtual_time(main)


def test_a_crowd_does_not_wait_for_workers_that_are_slow() -> None:
    """What there is no room for is decided all the same, a tenth of a second later at most."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": hangs}, a_config(10, 500, drain_s=0), store=keeping(repository)) as (scheduler, _):
            crowd = [once(f"one{index}") for index in range(3_000)]
            await scheduler.schedules.put_many(crowd)
            await trio.sleep(10.2)
            runs = await rows_of(repository, *crowd)
            assert [run.state for run in runs] == [State.RUNNING] * 10 + [State.CLAIMED] * 490 + [State.PENDING] * 2_500
            assert max(run.decided_at for run in runs) <= at(10.15)

    in_virtual_time(main)


def test_what_no_worker_comes_to_in_time_is_missed() -> None:
    """After the queue timeout it says so, and what can be done about it."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        config = a_config(1, drain_s=0, queue_timeout_s=120, timeout_s=3600)
        async with a_node({"work": hangs}, config, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once("a"), once("b", 20)])
            await trio.sleep(139)
            (run,) = await rows_of(repository, once("b"))
            assert run.state is State.PENDING
            await trio.sleep(2)
            (run,) = await rows_of(repository, once("b"))
            assert (run.state, run.reason, run.finished_at) == (State.MISSED, Reason.QUEUE_TIMEOUT, at(140))
            assert run.error == (
                "no worker was free for 120 s: raise executor.max_concurrent, or let it wait longer with "
                "executor.queue_timeout"
            )

    in_virtual_time(main)


def test_arming_does_not_give_up_waiting() -> None:
    """A run of the handler `arm` waits as long as it must: late is better than silently not. Its workers are its own,
    whoever gave it."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        config = a_config(1, drain_s=0, queue_timeout_s=60, timeout_s=86_400)
        handlers = {"work": hangs, "arm": hangs}
        async with a_node(handlers, config, store=keeping(repository)) as (scheduler, _):
            arms = [once(f"arm{index}", 10 + index, handler="arm") for index in range(3)]
            await scheduler.schedules.put_many([*arms, once()])
            await trio.sleep(3600)
            states = [run.state for run in await rows_of(repository, *arms)]
            assert states == [State.RUNNING, State.PENDING, State.PENDING]
            (run,) = await rows_of(repository, once())
            assert run.state is State.RUNNING

    in_virtual_time(main)


def test_a_run_of_a_handler_that_is_not_registered_waits_and_is_reported() -> None:
    """Nobody here can run it, another node might: it stays pending, health names it, nothing else waits (S2.6)."""

    async def work(run: RunContext) -> None:
        await trio.sleep(1)

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, a_config(1), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(
                [once("stray", handler="elsewhere", priority=9, lane="same"), once("known", 11, lane="same")]
            )
            await trio.sleep(3610)
            (stray,) = await rows_of(repository, once("stray"))
            (known,) = await rows_of(repository, once("known"))
            assert (stray.state, known.state) == (State.PENDING, State.SUCCEEDED)
            health = {item.component: item for item in (await scheduler.health()).components}
            assert health["work"].level is Level.DEGRADED
            assert health["work"].reasons == ("stray is overdue by 3600 s: no such handler here ('elsewhere')",)
        async with a_node({"elsewhere": work}, store=keeping(repository), start_at=at(4000)):
            await trio.sleep(10)
        (stray,) = await rows_of(repository, once("stray"))
        assert stray.state is State.SUCCEEDED

    in_virtual_time(main)


def _order_of(schedules: list[Schedule], config: SchedulerConfig) -> list[str]:
    """Return the order in which runs begin on a node."""
    begun: list[str] = []

    async def work(run: RunContext) -> None:
        begun.append(run.schedule)
        await trio.sleep(1)

    async def main() -> None:
        async with a_node({"work": work}, config) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(300)

    in_virtual_time(main)
    return begun


def test_the_most_urgent_runs_first() -> None:
    """Of runs that wait for the same workers, by priority, then by the time they were due."""
    schedules = [once("first", 10), once("low", 10.1, priority=1), once("normal", 10.3), once("older", 10.2)]
    schedules += [once("urgent", 10.4, priority=9)]
    assert _order_of(schedules, a_config(1)) == ["first", "urgent", "older", "normal", "low"]


def test_runs_that_wait_for_a_busy_lane_take_no_room() -> None:
    """A lane with much to do delays nobody outside of it, whatever waits at the head of the queue (S6.6)."""
    begun: dict[str, float] = {}

    async def work(run: RunContext) -> None:
        begun[run.schedule] = trio.current_time()
        await trio.sleep(50 if run.schedule.startswith("lane") else 5)

    async def main() -> None:
        async with a_node({"work": work}, a_config(3, 3)) as (scheduler, _):
            busy = [once(f"busy{index}", 10) for index in range(3)]
            lane = [once(f"lane{index}", 11, lane="slow") for index in range(5)]
            others = [once(f"other{index}", 12) for index in range(2)]
            start = trio.current_time()
            await scheduler.schedules.put_many(busy + lane + others)
            await trio.sleep(20)
            assert [name for name in begun if name.startswith("lane")] == ["lane0"]
            for name in ("other0", "other1"):
                assert begun[name] - start == pytest.approx(15, abs=0.1)
            await trio.sleep(400)
            assert len(begun) == 10

    in_virtual_time(main)


def test_runs_of_a_lane_follow_each_other() -> None:
    """Whatever their schedules, one at a time, in the order of their instants (S5.5)."""
    spans: list[tuple[str, float, float]] = []

    async def work(run: RunContext) -> None:
        began = trio.current_time()
        await trio.sleep(30)
        spans.append((run.schedule, began, trio.current_time()))

    async def main() -> None:
        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"run{index}", 10 + index, lane="press") for index in range(6)])
            await trio.sleep(600)

    in_virtual_time(main)
    assert [name for name, _, _ in spans] == [f"run{index}" for index in range(6)]
    assert all(ended <= began for (_, _, ended), (_, began, _) in pairwise(spans))


def test_a_run_keeps_its_lane_between_two_attempts() -> None:
    """Nobody slips in while it waits for its retry (S5.5)."""
    begun: list[tuple[str, int]] = []

    async def work(run: RunContext) -> None:
        begun.append((run.schedule, run.attempt))
        if run.schedule == "first" and run.attempt < 3:
            raise OSError("not yet")

    async def main() -> None:
        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put_many([once("first", lane="press"), once("second", 10.5, lane="press")])
            await trio.sleep(600)

    in_virtual_time(main)
    assert begun == [("first", 1), ("first", 2), ("first", 3), ("second", 1)]


def test_no_more_handlers_run_than_there_are_workers() -> None:
    """A burst is worked off as fast as the pool allows and no faster."""
    running, most = [0], [0]

    async def work(run: RunContext) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await trio.sleep(1)
        running[0] -= 1

    async def main() -> float:
        async with a_node({"work": work}, a_config(4, 8)) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"run{index}") for index in range(100)])
            await trio.sleep(10)
            began = trio.current_time()
            while scheduler.metrics().finished.get(State.SUCCEEDED, 0) < 100:  # noqa: ASYNC110
                await trio.sleep(0.25)
            return trio.current_time() - began

    took = in_virtual_time(main)
    assert most == [4]
    assert took <= 26


def test_overlapping_runs_are_allowed_when_asked_for() -> None:
    """`overlap = "allow"` starts an occurrence although an earlier one works (S5.4)."""
    most, running = [0], [0]

    async def work(run: RunContext) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await trio.sleep(150)
        running[0] -= 1

    async def main() -> None:
        async with a_node({"work": work}) as (scheduler, _):
            await scheduler.schedules.put(every("each", Every(60), overlap=Overlap.ALLOW))
            await trio.sleep(600)

    in_virtual_time(main)
    assert most == [3]


async def _passes(scheduler: Scheduler, seconds: float) -> int:
    before = scheduler.metrics().passes
    await trio.sleep(seconds)
    return scheduler.metrics().passes - before


def test_an_idle_node_sleeps() -> None:
    """With nothing due it looks once per check interval, however many schedules are stored and whatever waits."""

    async def main() -> None:
        config = a_config(1, queue_timeout_s=86_400, timeout_s=86_400, drain_s=0)
        async with a_node({"work": hangs}, config, check_interval_s=60) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"later{index}", 50_000 + index) for index in range(500)])
            await scheduler.schedules.put_many([once(f"waits{index}", 1) for index in range(20)])
            await scheduler.schedules.put(once("stray", 1, handler="elsewhere"))
            await trio.sleep(5)
            assert await _passes(scheduler, 600) <= 11

    in_virtual_time(main)


class Stubborn:
    """A trigger that raises from an instant on."""

    def __init__(self, until: int) -> None:
        self.rule: Any = Every(60)
        self.until = until

    def next_after(self, instant: int) -> int | None:
        """Return the next minute, or raise."""
        if instant >= self.until:
            raise ZeroDivisionError("no such minute")
        found: int | None = self.rule.next_after(instant)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rule, name)


@pytest.mark.parametrize("policies", [{}, {"lane": "house", "supersede": True}])
def test_a_schedule_whose_trigger_raises_is_quarantined_and_others_go_on(policies: dict[str, Any]) -> None:
    """It is kept and visible, never due again, not even of its lane is anybody held up; a new definition revives it."""

    async def work(run: RunContext) -> None:
        await trio.lowlevel.checkpoint()

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, container):
            bad: Any = Stubborn(at(150))
            await scheduler.schedules.put_many(
                [every("bad", bad, **policies), every("good", Every(90), **policies), once("last", 500)]
            )
            await trio.sleep(600)
            assert (await scheduler.schedules.get("bad")).state == "quarantined"
            assert (await scheduler.schedules.get("good")).state == "active"
            good = await rows_of(repository, every("good", Every(90)))
            assert len(good) >= 6
            assert {run.state for run in good} == {State.SUCCEEDED}
            await scheduler.schedules.put(every("bad", Once(container.get(Clock).now() + MINUTE)))
            await trio.sleep(61)
            assert (await rows_of(repository, once("bad")))[-1].state is State.SUCCEEDED

    in_virtual_time(main)


def test_what_is_urgent_does_not_starve_the_rest() -> None:
    """With more urgent work than there are workers, a patient run begins after half of the queue timeout (S6.6)."""
    began: list[float] = []

    async def work(run: RunContext) -> None:
        if run.schedule == "patient":
            began.append(trio.current_time())
        await trio.sleep(2)

    async def main() -> None:
        async with a_node({"work": work}, a_config(1, queue_timeout_s=600)) as (scheduler, _):
            await scheduler.schedules.put(every("urgent", Every(1), overlap=Overlap.ALLOW, priority=9))
            await trio.sleep(60)
            put_at = trio.current_time()
            await scheduler.schedules.put(once("patient", 60, priority=1))
            await trio.sleep(500)
            [at] = began
            assert 300 <= at - put_at <= 304

    in_virtual_time(main)
