"""Repositories that answer `unknown` or refuse: every caller copes, and nothing happens twice (S2.4, S7.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest
import trio

from tests.world import a_node, decided_instants, in_virtual_time
from trioarm import Every, InMemoryScheduleRepository, Reason, RetryPolicy, RunContext, State
from trioarm.core.changes import Change, Claim, Finished, Requeued, Started, Verdict
from trioarm.core.instants import MINUTE
from trioarm.core.run import RunRecord

from .nodes import a_config, at, every, keeping, once, rows_of

Fault: TypeAlias = "Callable[[Change], bool]"


class Faulty(InMemoryScheduleRepository):
    """A repository whose commits of some kind go wrong, a given number of times.

    Args:
        strikes: which changes it goes wrong for.
        verdict: what it answers then.
        kept: whether it keeps them all the same.
        times: how often it goes wrong.
    """

    def __init__(self, strikes: Fault, verdict: Verdict, *, kept: bool, times: int) -> None:
        super().__init__()
        self.strikes = strikes
        self.verdict = verdict
        self.kept = kept
        self.left = times
        self.struck = 0

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        """Keep what fits, but answer wrongly where it is to go wrong."""
        verdicts = []
        for change in changes:
            if not self.left or not self.strikes(change):
                verdicts += await super().commit([change])
                continue
            self.left -= 1
            self.struck += 1
            if self.kept:
                await super().commit([change])
            verdicts.append(self.verdict)
        return verdicts


def deciding(change: Change) -> bool:
    """Whether it decides occurrences of a trigger."""
    return any(run.schedule.schedule.handler == "work" for run in change.decided)


def _steps(kind: type, change: Change) -> bool:
    return any(isinstance(step, kind) and step.run.schedule.schedule.handler == "work" for step in change.steps)


def claiming(change: Change) -> bool:
    """Whether it claims a run."""
    return _steps(Claim, change)


def starting(change: Change) -> bool:
    """Whether it records a start."""
    return _steps(Started, change)


def finishing(change: Change) -> bool:
    """Whether it records a final outcome."""
    return _steps(Finished, change)


def retrying(change: Change) -> bool:
    """Whether it records an attempt that is followed by another."""
    return _steps(Requeued, change)


KINDS = [deciding, claiming, starting, finishing, retrying]
FAULTS = [(Verdict.UNKNOWN, True), (Verdict.UNKNOWN, False), (Verdict.REFUSED, False)]


@pytest.mark.parametrize("strikes", KINDS)
@pytest.mark.parametrize(("verdict", "kept"), FAULTS)
def test_whatever_a_commit_comes_to_each_occurrence_runs_once(strikes: Fault, verdict: Verdict, kept: bool) -> None:
    """Decisions are made once, claims adopted, attempts never overlap, outcomes recorded once, in few passes."""
    called: Counter[tuple[str, int]] = Counter()
    running: Counter[str] = Counter()

    async def work(run: RunContext) -> None:
        called[run.id, run.attempt] += 1
        running[run.id] += 1
        assert running[run.id] == 1
        await trio.sleep(3)
        running[run.id] -= 1
        if run.attempt == 1:
            raise OSError("at first")

    repository = Faulty(strikes, verdict, kept=kept, times=7)
    schedules = [every(name, Every(60), retry=RetryPolicy(base_s=0)) for name in ("a", "b", "c")]

    async def main() -> tuple[list[RunRecord], int]:
        async with a_node({"work": work}, a_config(1, 2), store=keeping(repository), check_interval_s=60) as (node, _):
            await node.schedules.put_many(schedules)
            await trio.sleep(655)
            return await rows_of(repository, *schedules), node.metrics().passes

    rows, passes = in_virtual_time(main)
    assert repository.struck == 7
    for schedule in schedules:
        mine = [run for run in rows if run.schedule.schedule.name == schedule.name]
        assert decided_instants(mine) == [at(0) + minute * MINUTE for minute in range(1, 11)]
        assert {(run.state, run.attempt) for run in mine} == {(State.SUCCEEDED, 2)}
    assert set(called.values()) == {1}
    assert len(called) == 2 * 30
    assert passes < 400


def test_a_superseded_run_is_stopped_although_nobody_knows_whether_that_was_kept() -> None:
    """What was asked of a run this node holds is found when the doubt is cleared up (S5.5, S7.4)."""

    async def work(run: RunContext) -> None:
        await trio.sleep(100)

    repository = Faulty(deciding, Verdict.UNKNOWN, kept=True, times=0)
    schedules = [once(name, when, lane="house", supersede=True) for name, when in (("arm", 10), ("disarm", 50))]

    async def main() -> list[RunRecord]:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put_many(schedules)
            await trio.sleep(20)
            repository.left = 1
            await trio.sleep(200)
            return await rows_of(repository, *schedules)

    arm, disarm = in_virtual_time(main)
    assert repository.struck == 1
    assert (arm.state, arm.reason) == (State.CANCELLED, Reason.SUPERSEDED)
    assert arm.finished_at is not None
    assert arm.finished_at < at(51)
    assert disarm.state is State.SUCCEEDED


def test_a_repository_that_keeps_nothing_is_asked_a_few_times_a_second() -> None:
    """While nothing can be kept the node tries again and again, but not busily, and goes on once it can (S7.5)."""

    async def work(run: RunContext) -> None:
        await trio.lowlevel.checkpoint()

    repository = Faulty(lambda change: bool(change.decided), Verdict.UNKNOWN, kept=False, times=0)

    async def main() -> RunRecord:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(9)
            repository.left = 10**6
            before = scheduler.metrics().passes
            await trio.sleep(61)
            assert scheduler.metrics().passes - before <= 60 * 20 + 5
            repository.left = 0
            await trio.sleep(1)
            (run,) = await rows_of(repository, once())
            return run

    run = in_virtual_time(main)
    assert (run.state, run.nominal_at) == (State.SUCCEEDED, at(10))


def test_an_outcome_waits_until_it_can_be_recorded() -> None:
    """Meanwhile health says so, the handler is not called again, and the end that is recorded is the true one."""
    called: list[str] = []

    async def work(run: RunContext) -> str:
        called.append(run.id)
        return "done"

    repository = Faulty(finishing, Verdict.UNKNOWN, kept=False, times=10**6)

    async def main() -> RunRecord:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(600)
            health = {item.component: item.reasons for item in (await scheduler.health()).components}
            assert "1 outcome " in health["recorder"][0]
            assert repository.struck < 600 * 11
            repository.left = 0
            await trio.sleep(1)
            (run,) = await rows_of(repository, once())
            return run

    run = in_virtual_time(main)
    assert (run.state, run.result, run.finished_at, len(called)) == (State.SUCCEEDED, "done", at(10), 1)


def test_the_last_outcomes_are_written_again_while_the_node_stops() -> None:
    """An unknown verdict at the very end is followed by another try, within the time that is left (S6.8)."""

    async def work(run: RunContext) -> str:
        await trio.sleep(5)
        return "done"

    repository = Faulty(finishing, Verdict.UNKNOWN, kept=False, times=5)

    async def main() -> RunRecord:
        async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(12)
        (run,) = await rows_of(repository, once())
        return run

    run = in_virtual_time(main)
    assert (run.state, run.result) == (State.SUCCEEDED, "done")


def test_a_command_of_unknown_outcome_is_carried_out_once() -> None:
    """Commands look at what is kept before they try again (S7.4)."""

    async def work(run: RunContext) -> None:
        await trio.sleep(5)

    async def main() -> None:
        for kept in (True, False):
            repository = Faulty(lambda change: True, Verdict.UNKNOWN, kept=kept, times=0)
            async with a_node({"work": work}, store=keeping(repository)) as (scheduler, _):
                repository.left = 1
                stored = await scheduler.schedules.put(once(seconds=5000))
                assert stored.revision == 1
                repository.left = 1
                assert (await scheduler.schedules.pause("one")).state == "paused"
                repository.left = 1
                assert (await scheduler.schedules.resume("one")).state == "active"
                repository.left = 1
                fired = await scheduler.runs.fire("one")
                assert [run.run_id for run in await rows_of(repository, once())] == [fired.key]
                await trio.sleep(1)
                repository.left = 1
                await scheduler.runs.cancel(fired.id)
                assert (await scheduler.runs.wait(fired.id)).state is State.CANCELLED
                again = await scheduler.runs.retry(fired.id)
                assert (await scheduler.runs.wait(again.id)).state is State.SUCCEEDED

    in_virtual_time(main)
