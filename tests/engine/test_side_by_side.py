"""Decisions are made while others are being kept, and whoever else wants something has its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio
import trio.testing

from trioarm import InMemoryScheduleRepository, RunContext, SchedulerConfig, State
from trioarm.core.changes import DONE, Change, Finished, PutSchedule, Verdict
from trioarm.core.planning import PlanRules, plan
from trioarm.core.run import RunRecord
from trioarm.core.states import WaitingFor
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.executor import RunExecutor
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.testing.stores import InlineThread, VirtualBoot

from ..making import a_run, a_schedule
from ..world import a_node, all_runs, in_virtual_time
from .nodes import a_config, at, keeping, once, rows_of

DUE: Final = 3_000
HELD: Final = 4_000
DUE_S: Final = 10.0
SLOW_S: Final = 0.5
LIMIT_S: Final = 60.0


async def work(run: RunContext) -> None:
    """Do nothing."""


class Slow(InMemoryScheduleRepository):
    """Keeps decisions after a while, and tells what came in which order.

    Args:
        asked: called as each batch of decisions begins to be kept.
    """

    def __init__(self, asked: Callable[[int], object] = lambda batch: None) -> None:
        super().__init__()
        self.asked = asked
        self.batches = 0
        self.most_at_once = self._at_once = 0
        self.refuse = False

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep changes; refuse what was gathered, where it is asked to."""
        if not any(change.decided for change in changes):
            return await super().commit(changes)
        self.batches += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.asked(self.batches)
        try:
            await trio.sleep(SLOW_S)
        finally:
            self._at_once -= 1
        if self.refuse and any(len(change.decided) > 1 for change in changes):
            return [Verdict.REFUSED] * len(changes)
        return await super().commit(changes)


def a_big_config() -> SchedulerConfig:
    """Return one under which a thousand may be claimed at once."""
    return a_config(HELD, HELD)


def test_decisions_are_made_while_others_are_being_kept() -> None:
    """Two batches at once and no more; each occurrence runs once."""
    repository = Slow()

    async def main() -> list[State]:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"s{number}", DUE_S) for number in range(DUE)])
            await trio.sleep(LIMIT_S)
            return [run.state for run in await all_runs(repository)]

    assert in_virtual_time(main) == [State.SUCCEEDED] * DUE
    assert repository.most_at_once == 2


def test_a_command_has_its_turn_between_decisions() -> None:
    """One that wants to decide waits for what is being kept, and for no more of what is due."""
    met: list[int] = []

    async def main() -> None:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, container):
            engine = container.get(SchedulingEngine)

            async def command() -> None:
                await engine.decide_due(at(DUE_S - 1))  # nothing was due then
                met.append(repository.batches)

            async with trio.open_nursery() as nursery:
                repository.asked = lambda batch: nursery.start_soon(command) if batch == 1 else None
                await scheduler.schedules.put_many([once(f"s{number}", DUE_S) for number in range(2 * DUE)])
                await trio.sleep(LIMIT_S)

    repository = Slow()
    in_virtual_time(main)
    assert met[0] <= 2
    assert repository.batches > 2


def test_a_command_that_is_cancelled_while_it_decides_leaves_all_room() -> None:
    """What it was keeping is decided by the next pass, and pools hold as many as before."""
    repository = Slow()

    async def main() -> tuple[list[State], list[int], int]:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, container):
            await scheduler.schedules.put_many([once(f"s{number}", DUE_S) for number in range(DUE)])
            await trio.sleep(DUE_S / 2)
            with trio.move_on_after(SLOW_S / 2) as scope:
                await container.get(SchedulingEngine).decide_due(at(DUE_S))
            assert scope.cancelled_caught
            await trio.sleep(LIMIT_S)
            executor = container.get(RunExecutor)
            expected = [pool.expected for pool in executor.pools]
            return [run.state for run in await all_runs(repository)], expected, executor.room

    states, expected, room = in_virtual_time(main)
    assert states == [State.SUCCEEDED] * DUE
    assert not any(expected)
    assert room == HELD


def test_two_tasks_may_wait_for_room() -> None:
    """The engine and a command: whoever comes second leaves the other its wake-up."""

    async def main() -> list[str]:
        woken: list[str] = []
        async with a_node({"work": work}, a_config()) as (_, container):
            executor = container.get(RunExecutor)

            async def wait(name: str) -> None:
                await executor.room_changes()
                woken.append(name)

            with trio.move_on_after(LIMIT_S):
                async with trio.open_nursery() as nursery:
                    for name in ("engine", "command"):
                        nursery.start_soon(wait, name)
                        await trio.testing.wait_all_tasks_blocked()
                    executor.release([])
        return sorted(woken)

    assert in_virtual_time(main) == ["command", "engine"]


def test_room_is_given_back_where_it_was_kept() -> None:
    """A command may give a schedule a handler that is not registered here, while its run is being claimed."""

    async def main() -> list[int]:
        async with a_node({"work": work}, a_config()) as (_, container):
            executor = container.get(RunExecutor)
            run = a_run()
            with executor.expecting([run]):
                expected = [pool.expected for pool in executor.pools]
                run.schedule.schedule = a_schedule(handler="elsewhere")
            return expected + [pool.expected for pool in executor.pools]

    counts = in_virtual_time(main)
    assert sum(counts[: len(counts) // 2]) == 1
    assert not any(counts[len(counts) // 2 :])


class Doubtful(InMemoryScheduleRepository):
    """Never says whether it has kept how a run ended."""

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep changes, but no outcomes."""
        if any(isinstance(step, Finished) for change in changes for step in change.steps):
            await trio.sleep(SLOW_S)
            return [Verdict.UNKNOWN] * len(changes)
        return await super().commit(changes)


def test_outcomes_that_cannot_be_kept_are_counted_on_once() -> None:
    """However often they are tried again, they make room for no more than one run each."""
    workers, due = 4, 40

    async def main() -> int:
        calls = 0

        async def count(run: RunContext) -> None:
            nonlocal calls
            calls += 1

        with trio.move_on_after(LIMIT_S):
            async with a_node({"work": count}, a_config(workers), store=keeping(Doubtful())) as (scheduler, _):
                await scheduler.schedules.put_many([once(f"s{number}", DUE_S + number) for number in range(due)])
                await trio.sleep_forever()
        return calls

    assert workers <= in_virtual_time(main) <= 2 * workers


class Overtaken(SqliteScheduleRepository):
    """A store on whose file another node decides the first schedule as this one is about to decide several."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, thread=InlineThread, boot_clock=VirtualBoot())
        self.other = SqliteScheduleRepository(path, thread=InlineThread, boot_clock=VirtualBoot())
        self.overtaken = 0

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep changes, after the other."""
        if not self.overtaken and sum(len(change.decided) for change in changes) > 1:
            await self.other.open()
            view = await self.other.read_due(at(DUE_S), 1)
            self.overtaken = len(view.groups)
            assert await self.other.commit([plan(group, at(DUE_S), PlanRules()) for group in view.groups]) == [DONE]
            await self.other.close()
        return await super().commit(changes)


def test_what_another_node_decides_keeps_no_other_decision_from_being_kept(tmp_path: Path) -> None:
    """Of what was gathered, each run is decided once, whoever was faster with it, and begins."""
    repository = Overtaken(tmp_path / "trioarm.db")

    async def main() -> list[tuple[str, State]]:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"s{number}", DUE_S) for number in range(9)])
            await trio.sleep(DUE_S + LIMIT_S)
            return [(run.schedule.schedule.name, run.state) for run in await all_runs(repository)]

    assert sorted(in_virtual_time(main)) == [(f"s{number}", State.SUCCEEDED) for number in range(9)]
    assert repository.overtaken == 1


class TakenAway(InMemoryScheduleRepository):
    """A store in whose transaction that keeps the first claim a put is kept, too: the schedule has another handler."""

    taken = False

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep changes, and the put behind them."""
        verdicts = await super().commit(changes)
        claimed = [run for change in changes for run in change.decided if run.state is State.CLAIMED]
        if claimed and not self.taken:
            self.taken = True
            record = claimed[0].schedule
            schedule = attrs.evolve(record.schedule, handler="elsewhere")
            put = PutSchedule(
                schedule, record.key, record.revision, record.cursor_at, record.next_due_at, record.cursor_at,
                record.next_due_at, record.state, record.pause, record.anchor_at, record.amendments,
            )  # fmt: skip
            assert await super().commit([Change(schedules=[put])]) == [DONE]
        return verdicts


def test_a_run_whose_handler_is_taken_away_as_it_is_claimed_waits_for_it() -> None:
    """It is given back, never called by another, and the node works on; put back, its handler is called."""
    repository = TakenAway()
    one, other = once("one", DUE_S), once("other", DUE_S + LIMIT_S)

    async def main() -> tuple[RunRecord, RunRecord, RunRecord]:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([one, other])
            await trio.sleep(DUE_S + 2 * LIMIT_S)
            waiting, after = [attrs.evolve(run) for run in await rows_of(repository, one, other)]
            await scheduler.schedules.put(one)
            await trio.sleep(LIMIT_S)
            [begun] = await rows_of(repository, one)
            return waiting, after, begun

    waiting, after, begun = in_virtual_time(main)
    assert repository.taken
    assert (waiting.state, waiting.started_at, waiting.waiting_for) == (State.PENDING, None, WaitingFor.HANDLER)
    assert after.state is State.SUCCEEDED
    assert (begun.state, begun.run_id) == (State.SUCCEEDED, waiting.run_id)


def test_gathered_decisions_that_are_refused_are_tried_apart() -> None:
    """Each on its own is kept, in the same pass."""
    repository = Slow()
    repository.refuse = True

    async def main() -> list[State]:
        async with a_node({"work": work}, a_big_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many([once(f"s{number}", DUE_S) for number in range(9)])
            await trio.sleep(DUE_S + 3 * SLOW_S)
            return [run.state for run in await all_runs(repository)]

    assert in_virtual_time(main) == [State.SUCCEEDED] * 9
    assert repository.batches == 2
