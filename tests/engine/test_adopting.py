"""A node that compares what it holds with what is kept, while both go on: nothing is begun twice (S2.2, S2.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import trio

from tests.world import a_node, in_virtual_time
from trioarm import InMemoryScheduleRepository, RunContext, State
from trioarm.core.changes import Change, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.core.record import ScheduleRecord
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery
from trioarm.engine.engine import SchedulingEngine
from trioarm.testing import Fault, FileStore, a_world, all_runs

from .nodes import at, keeping, once

ANSWER_S = 5.0  # how long an answer is on its way


class Distant(InMemoryScheduleRepository):
    """A repository whose answers about the runs of a node, and about decisions, take their time to arrive.

    Args:
        looks_at_once: whether the runs of a node are looked for before the wait, so that the answer is old.
        answers_late: whether what became of decisions is told late.
    """

    def __init__(self, *, looks_at_once: bool, answers_late: bool) -> None:
        super().__init__()
        self.looks_at_once = looks_at_once
        self.answers_late = answers_late
        self.asked = 0

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Answer late where a node asks for its own runs."""
        if node is None:
            return await super().unfinished_runs(schedule=schedule, lane=lane)
        self.asked += 1
        if not self.looks_at_once:
            await trio.sleep(ANSWER_S)
        found = await super().unfinished_runs(node=node)
        if self.looks_at_once:
            await trio.sleep(ANSWER_S)
        return found

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep at once, and answer late where that is wanted."""
        verdicts = await super().commit(changes)
        if self.answers_late and any(change.decided for change in changes):
            await trio.sleep(ANSWER_S)
        return verdicts


def test_a_run_that_ends_while_the_node_compares_is_not_begun_again() -> None:
    """What was held when the look began, and was recorded before its answer came, is not taken for lost (S2.2)."""
    called: Counter[str] = Counter()

    async def work(run: RunContext) -> None:
        called[run.id] += 1
        await trio.sleep(3)

    repository = Distant(looks_at_once=True, answers_late=False)

    async def main() -> None:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, container):
            await scheduler.schedules.put(once(delivery=Delivery.AT_MOST_ONCE))
            await trio.sleep(11)
            container.get(SchedulingEngine).doubt()
            await trio.sleep(20)

    in_virtual_time(main)
    assert repository.asked == 1
    assert list(called.values()) == [1]


def test_a_run_that_a_command_decided_is_not_begun_twice() -> None:
    """What a command claimed, and was not yet told of, is not adopted by the engine meanwhile (S2.2)."""
    called: Counter[str] = Counter()

    async def work(run: RunContext) -> None:
        called[run.id] += 1
        await trio.lowlevel.checkpoint()

    repository = Distant(looks_at_once=False, answers_late=True)

    async def main() -> None:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, container):
            await scheduler.schedules.put(once(delivery=Delivery.AT_MOST_ONCE))
            await trio.sleep(9)
            container.get(SchedulingEngine).doubt()
            await trio.sleep(2)
            await scheduler.schedules.pause("one")
            await trio.sleep(20)

    in_virtual_time(main)
    assert repository.asked >= 1
    assert list(called.values()) == [1]


class Forgetful(InMemoryScheduleRepository):
    """A repository that keeps a decision and cannot say so, and then cannot be asked for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = 2

    async def unfinished_runs(
        self, *, schedule: ScheduleRecord | None = None, lane: str | None = None, node: str | None = None
    ) -> list[RunRecord]:
        """Fail twice where a node asks for its own runs."""
        if node is not None and self.fails:
            self.fails -= 1
            raise RepositoryError("it cannot be asked")
        return await super().unfinished_runs(schedule=schedule, lane=lane, node=node)

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep decisions, and say that nobody knows."""
        verdicts = await super().commit(changes)
        told = zip(changes, verdicts, strict=True)
        return [Verdict.UNKNOWN if change.decided else verdict for change, verdict in told]


def test_a_doubt_lasts_until_it_could_be_cleared_up() -> None:
    """A run that may be claimed is adopted once the repository can be asked, however late (S7.4, S7.5)."""
    called: Counter[str] = Counter()

    async def work(run: RunContext) -> None:
        called[run.id] += 1
        await trio.lowlevel.checkpoint()

    repository = Forgetful()

    async def main() -> None:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(60)

    in_virtual_time(main)
    assert repository.fails == 0
    assert list(called.values()) == [1]


def test_a_run_of_a_node_that_is_found_gone_has_not_ended_before_it_began(tmp_path: Path) -> None:
    """The look that finds out may have begun earlier than the run, and take a while."""

    async def hangs(run: RunContext) -> None:
        await trio.sleep_forever()

    async def main() -> RunRecord:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            doomed = await world.start({"work": hangs})
            other = await world.start()
            await doomed.scheduler.schedules.put(once(delivery=Delivery.AT_MOST_ONCE))
            await trio.sleep(9)
            world.faults["read_due", world.calls["read_due"] + 1] = Fault.SLOW
            other.container.get(SchedulingEngine).wake()
            await trio.sleep(3)
            world.kill(doomed)
            await trio.sleep(60)
            (run,) = await all_runs(other.repository)
            return run

    run: RunRecord = in_virtual_time(main)
    assert (run.state, run.started_at) == (State.UNKNOWN, at(10))
    assert run.finished_at is not None
    assert run.finished_at >= at(12)
