"""The account adds up exactly, whatever handlers do and whatever becomes of their nodes (S6.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import attrs
import trio

from tests.world import all_runs, in_virtual_time
from trioarm import Every, Handler, RetryPolicy, RunContext, Schedule, State
from trioarm.config import ExecutorSettings, SchedulerConfig, SchedulerSettings
from trioarm.core.instants import render_instant
from trioarm.core.run import RunRecord
from trioarm.core.states import ACTIVE, FINAL, NEVER_RAN, Reason
from trioarm.engine.metrics import MetricsSnapshot
from trioarm.testing import MemoryDisk, World, a_world

HANDLERS = 50
TEN_MINUTES_S = 600.0
TIMEOUT_S = 5.0
DEAF_S = 14.0  # its timeout, then what a cancelled handler may take, then four seconds more
CONFIG = SchedulerConfig(
    scheduler=SchedulerSettings(max_concurrent=40), executor=ExecutorSettings(max_concurrent=25, timeout_s=TIMEOUT_S)
)


@attrs.define
class Ledger:
    """What handlers know of their calls, by node, kept outside of everything that is counted."""

    calls: dict[str, list[tuple[str, int, int]]] = attrs.Factory(dict)

    def handlers(self, node: str) -> dict[str, Handler]:
        """Return fifty handlers: two of three do their work, the others fail, hang, or ignore their cancellation."""
        calls = self.calls[node] = []

        def noting(work: Callable[[RunContext], Awaitable[None]]) -> Handler:
            async def handler(run: RunContext) -> None:
                calls.append((run.id, run.attempt, run.token))
                await work(run)

            return handler

        kinds = (fails, hangs, is_deaf)
        return {f"h{n}": noting(kinds[n // 3 % 3] if n % 3 == 0 else works) for n in range(HANDLERS)}


async def works(run: RunContext) -> None:
    """Take a moment."""
    await trio.sleep(0.5 + run.nominal_at.second % 3)


async def fails(run: RunContext) -> None:
    """Fail after a moment."""
    await trio.sleep(0.7)
    raise OSError("no answer")


async def hangs(run: RunContext) -> None:
    """Never end by itself."""
    await trio.sleep_forever()


async def is_deaf(run: RunContext) -> None:
    """End when it likes."""
    with trio.CancelScope(shield=True):
        await trio.sleep(DEAF_S)


def schedules() -> list[Schedule]:
    """Return one schedule for each handler: several times a minute, so that runs overlap that are tried again."""
    retry = RetryPolicy(max_retries=2, base_s=2.0)
    return [Schedule(f"s{n}", Every(16 + n % 7), handler=f"h{n}", retry=retry) for n in range(HANDLERS)]


async def ten_minutes(world: World, ledger: Ledger) -> tuple[list[RunRecord], list[MetricsSnapshot]]:
    """Let ten minutes pass in which the node crashes twice; return all runs, and what each node counted."""
    counted: list[MetricsSnapshot] = []
    for index, seconds in enumerate((200.25, 190.5, TEN_MINUTES_S - 200.25 - 190.5)):
        node = await world.start(ledger.handlers(f"node{index + 1}"), CONFIG)
        if not index:
            await world.scheduler.schedules.put_many(schedules())
        await world.advance(seconds)
        counted.append(node.scheduler.metrics())
        if index < 2:
            world.kill(node)
    statistics = await world.scheduler.statistics()
    runs = await all_runs(world.nodes[-1].repository)
    assert statistics.runs == dict(Counter(run.state for run in runs))
    return runs, counted


def recorded(metrics: MetricsSnapshot) -> int:
    """Return how many claims of a node came to an end that was recorded, or refused."""
    ended = sum(count for state, count in metrics.finished.items() if state not in NEVER_RAN)
    return ended + sum(count for why, count in metrics.retries.items() if why != Reason.LOST) + metrics.refused


def check_account(ledger: Ledger, runs: list[RunRecord], counted: list[MetricsSnapshot]) -> None:
    """Check that nothing is missing, and nothing counted twice."""
    unfinished = sum(run.state in ACTIVE for run in runs)
    final = {state: sum(run.state is state for run in runs) for state in FINAL}
    assert sum(sum(metrics.decided.values()) for metrics in counted) == len(runs) == unfinished + sum(final.values())
    for metrics, calls in zip(counted, ledger.calls.values(), strict=True):
        assert metrics.claimed == recorded(metrics) + metrics.queued + metrics.running
        assert metrics.attempts + metrics.running == len(calls)
    finished = sum((Counter(metrics.finished) for metrics in counted), Counter[State]())
    never_ran = sum((Counter(metrics.decided) for metrics in counted), Counter[State]())
    for state, count in final.items():
        assert finished[state] + never_ran[state] == count, state
    of_run: dict[str, list[tuple[int, int]]] = {}
    for run_id, attempt, token in (call for calls in ledger.calls.values() for call in calls):
        of_run.setdefault(run_id, []).append((attempt, token))
    for run in runs:
        calls = of_run.pop(f"{run.schedule.schedule.name}@{shown(run)}", [])
        assert len({token for _, token in calls}) == len(calls), "each call has a claim of its own"
        assert len({attempt for attempt, _ in calls}) == len(calls), "each call is an attempt of its own"
        assert all(1 <= attempt <= run.attempt for attempt, _ in calls)
        if run.state in (State.SUCCEEDED, State.FAILED, State.TIMED_OUT):
            assert run.attempt in {attempt for attempt, _ in calls}, "what ended was called"
    assert not of_run, "every call belongs to a run that is kept"


def shown(run: RunRecord) -> str:
    """Return the instant of a run as its id has it."""
    return render_instant(run.nominal_at)


def test_the_account_adds_up() -> None:
    """Fifty handlers, a third of them bad, ten minutes, two crashes: each decision is one row, each claim has one end,
    and each call of a handler is one attempt."""
    ledger = Ledger()

    async def main() -> tuple[list[RunRecord], list[MetricsSnapshot]]:
        async with a_world(MemoryDisk(leased=True)) as world:
            return await ten_minutes(world, ledger)

    runs, counted = in_virtual_time(main)
    check_account(ledger, runs, counted)
    states, reasons = Counter(run.state for run in runs), Counter(run.reason for run in runs)
    assert min(states[state] for state in (State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.SKIPPED)) > 10
    assert min(reasons[reason] for reason in (Reason.STUCK, Reason.RECOVERED, Reason.TIMEOUT, Reason.ERROR)) > 0
    assert sum(metrics.retries.get(Reason.LOST, 0) for metrics in counted) > 5
    assert all(metrics.running for metrics in counted[:2]), "it crashes while handlers run"
