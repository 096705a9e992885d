"""How far a handler says it is: kept with the run, under its token, and found again by the next attempt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    Every,
    InMemoryScheduleRepository,
    Reason,
    RetryPolicy,
    RunContext,
    Schedule,
    State,
    open_scheduler,
)
from trioarm.config import SchedulerSettings
from trioarm.core.changes import Change, Progressed, Verdict
from trioarm.core.jsonable import Json
from trioarm.core.progress import PROGRESS_BYTES_MAX
from trioarm.core.run import RunRecord
from trioarm.engine.progress import PROGRESS_EVERY_S
from trioarm.testing import Away, FileStore, a_world, all_runs

from .nodes import NEVER_AGAIN, a_config, keeping, once, rows_of, run_after

SOON = RetryPolicy(base_s=1)


class Counting(InMemoryScheduleRepository):
    """Keeps what is said of progress in order of writing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[float, Json]] = []

    async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
        verdicts = await super().commit(changes)
        for change, verdict in zip(changes, verdicts, strict=True):
            assert verdict is Verdict.DONE
            self.written += [(trio.current_time(), step.value) for step in change.steps if isinstance(step, Progressed)]
        return verdicts


def test_the_next_attempt_finds_what_the_one_before_said_last() -> None:
    """None at first; within an attempt what it says itself does not show."""
    seen: list[tuple[Json, Json]] = []

    async def work(run: RunContext) -> None:
        before = run.last_progress
        run.progress({"row": run.attempt * 10})
        run.progress({"row": run.attempt * 10 + 1})
        await trio.sleep(5)
        seen.append((before, run.last_progress))
        if run.attempt < 3:
            raise OSError("no route")

    run = run_after(600, work, once(retry=SOON))
    assert seen == [(None, None), ({"row": 11}, {"row": 11}), ({"row": 21}, {"row": 21})]
    assert (run.state, run.progress) == (State.SUCCEEDED, {"row": 31})


def test_however_often_it_is_said_it_is_written_once_a_second_and_with_the_outcome() -> None:
    """The latest of each second; the last one in the transaction of the outcome."""
    repository = Counting()

    async def work(run: RunContext) -> None:
        began = trio.current_time()
        for number in range(1_000):
            run.progress(number)
            await trio.sleep(0.01)
        assert trio.current_time() - began == pytest.approx(10)

    async def main() -> RunRecord:
        async with a_node({"work": work}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(once())
            await trio.sleep(60)
            [run] = await rows_of(repository, once())
            return run

    assert in_virtual_time(main).progress == 999
    assert 10 <= len(repository.written) <= 10 / PROGRESS_EVERY_S + 2
    assert [value for _, value in repository.written] == sorted(value for _, value in repository.written)  # type: ignore[type-var]
    assert repository.written[-1][1] == 999


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("x" * PROGRESS_BYTES_MAX, f"progress: {PROGRESS_BYTES_MAX + 2} bytes of JSON cannot be kept: at most 4096"),
        ("é" * (PROGRESS_BYTES_MAX // 2), f"progress: {PROGRESS_BYTES_MAX + 2} bytes of JSON cannot be kept"),
        (float("nan"), "progress: nan cannot be kept as JSON"),
        (object(), "progress: a object cannot be kept"),
        ("x" * 100_000_000, "progress: a text of 100000000 bytes cannot be kept: at most"),
    ],
)
def test_what_is_too_large_is_refused_in_one_line(value: object, why: str) -> None:
    """The handler is told, and what was said before stays."""

    async def work(run: RunContext) -> None:
        run.progress("before")
        run.progress(value)

    run = run_after(60, work, once(retry=NEVER_AGAIN))
    assert (run.state, run.reason, run.progress) == (State.FAILED, Reason.ERROR, "before")
    assert run.error is not None
    assert run.error.startswith(f"ValueError: {why}")
    assert "\n" not in run.error


def test_what_a_handler_does_to_the_value_later_is_not_kept() -> None:
    """It is a copy, and what is handed out is one, too."""
    said = {"row": 1}

    async def work(run: RunContext) -> None:
        last = run.last_progress
        if isinstance(last, dict):
            last["row"] = 7
            assert run.last_progress == {"row": 1}
            return
        run.progress(said)
        said["row"] = 2
        raise OSError("no route")

    run = run_after(60, work, once(retry=SOON))
    assert (run.state, run.progress) == (State.SUCCEEDED, {"row": 1})


@pytest.mark.parametrize("written", [True, False])
def test_it_survives_a_node_that_is_killed_once_it_is_written(tmp_path: Path, written: bool) -> None:
    """Another node, on the same file, carries on from there; what was said within the last second is lost."""
    kept = [2] if written else [1, "žluťoučký"]
    seen: list[tuple[Json, int, bool]] = []

    async def first(run: RunContext) -> None:
        run.progress([1, "žluťoučký"])
        await trio.sleep(0.5)
        run.progress([2])
        await trio.sleep_forever()

    async def second(run: RunContext) -> None:
        seen.append((run.last_progress, run.attempt, run.is_recovery))

    async def main() -> RunRecord:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            node = await world.start({"work": first}, a_config())
            await node.scheduler.schedules.put(Schedule("one", Every(86400), handler="work"))
            await node.scheduler.runs.fire("one")
            await trio.sleep(PROGRESS_EVERY_S + (0.1 if written else -0.1))
            world.kill(node)
            node = await world.start({"work": second}, a_config())
            await trio.sleep(120)
            [run] = await all_runs(node.repository, "one")
            return run

    run = in_virtual_time(main)
    assert seen == [(kept, 2, True)]
    assert (run.state, run.attempt, run.progress) == (State.SUCCEEDED, 2, kept)


def test_who_lost_its_lease_overwrites_nothing(tmp_path: Path) -> None:
    """What it says after another node has taken over is refused with its token (S2.3)."""
    tokens: list[int] = []

    async def stubborn(run: RunContext) -> None:
        tokens.append(run.token)
        for number in range(1_000):
            run.progress([run.token, number])
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            if len(tokens) > run.token and number > 100:
                return

    async def main() -> RunRecord:
        async with a_world(FileStore(tmp_path / "trioarm.db")) as world:
            first = await world.start({"work": stubborn}, a_config(timeout_s=3000))
            await first.scheduler.schedules.put(Schedule("one", Every(86400), handler="work"))
            await first.scheduler.runs.fire("one")
            await trio.sleep(5)
            second = await world.start({"work": stubborn}, a_config(timeout_s=3000))
            first.line.break_off(Away.FAIL)
            await trio.sleep(60)
            first.line.go_on()
            for _ in range(30):
                await trio.sleep(1)
                [run] = await all_runs(second.repository, "one")
                assert run.token == 2
                assert isinstance(run.progress, list)
                assert run.progress[0] == 2
            world.kill(first)
            world.kill(second)
            return run

    in_virtual_time(main)
    assert tokens == [1, 2]


async def test_a_thread_may_say_how_far_it_is(tmp_path: Path) -> None:
    """As any handler, and it finds what was said before."""

    def work(run: RunContext) -> object:
        if run.attempt == 1:
            run.progress(7)
            raise OSError("no route")
        return run.last_progress

    config = attrs.evolve(a_config(), scheduler=SchedulerSettings(store=f"sqlite:///{tmp_path / 'trioarm.db'}"))
    with trio.fail_after(60):
        async with open_scheduler(config.scheduler.store, handlers={"work": work}, config=config) as scheduler:
            schedule = Schedule("one", Every(86400), handler="work", retry=RetryPolicy(base_s=0))
            await scheduler.schedules.put(schedule)
            run = await scheduler.runs.wait((await scheduler.runs.fire("one")).id)
    assert (run.result, run.progress) == (7, 7)
