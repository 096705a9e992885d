"""Retrying in bulk: what failed for good, each as a new run and with a result of its own, and nothing twice (S2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.world import in_virtual_time
from trioarm import (
    BulkRetry,
    Cron,
    InvalidSchedule,
    Origin,
    RetryOutcome,
    RetryPolicy,
    RetryResult,
    Run,
    RunContext,
    RunQuery,
    Schedule,
    State,
)
from trioarm.core.instants import MINUTE
from trioarm.engine.retry_commands import RETRIES_MAX
from trioarm.testing import FileStore, MemoryDisk, World, a_world
from trioarm.testing.world import BEGIN

RETRIED, PLANNED = RetryOutcome.RETRIED, RetryOutcome.PLANNED
ALREADY, REFUSED = RetryOutcome.ALREADY, RetryOutcome.REFUSED
NEVER = RetryPolicy(max_retries=0)
FOUR_MINUTES = [f"poll@2026-11-23T22:0{minute}:00Z" for minute in (1, 2, 3, 4)]


class Service:
    """A handler that fails while its service is down."""

    def __init__(self) -> None:
        self.is_down = True
        self.called: list[str] = []

    async def __call__(self, run: RunContext) -> None:
        """Call the service."""
        self.called.append(run.id)
        if self.is_down:
            raise OSError("down")


@pytest.fixture(params=["memory", "file"])
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """A play in a world in which two schedules failed, one of them four times; on each kind of store."""

    def play(course: Callable[[World, Service], Awaitable[None]], *schedules: Schedule) -> None:
        store = MemoryDisk() if request.param == "memory" else FileStore(tmp_path / "a.db")

        async def main() -> None:
            async with a_world(store) as world:
                service = Service()
                await world.start({"service": service})
                await world.scheduler.schedules.put_many(schedules or [minutely(), minutely("odd", "*/3 * * * *")])
                await world.advance(4 * 60 + 30)
                await course(world, service)

        in_virtual_time(main)

    return play


def minutely(name: str = "poll", cron: str = "* * * * *", **policies: Any) -> Schedule:
    """Return a schedule that is never tried again by itself."""
    return Schedule(name, Cron(cron), handler="service", retry=NEVER, tags=(name,), **policies)


def shown(results: list[RetryResult]) -> list[tuple[str, RetryOutcome]]:
    """Return id and outcome of each."""
    return [(result.id, result.outcome) for result in results]


def test_each_is_a_new_run_that_points_to_the_old_one(played: Callable[..., None]) -> None:
    """The oldest first; the old runs stay as they are, and a second call finds nothing left to do."""

    async def course(world: World, service: Service) -> None:
        runs = world.scheduler.runs
        query = RunQuery(schedule="poll")
        service.is_down = False
        told: list[RetryResult] = []
        results = await runs.retry_many(query, BulkRetry(tell=told.append), author="anna", note="it is up again")
        assert shown(results) == [(run_id, RETRIED) for run_id in FOUR_MINUTES]
        assert told == results
        await world.advance(5)
        for result in results:
            assert result.run is not None
            again, before = await runs.get(result.run.id), await runs.get(result.id)
            assert (again.state, again.origin, before.state) == (State.SUCCEEDED, Origin.RETRY, State.FAILED)
        kept = await world.scheduler._repository.find_runs(RunQuery(schedule="poll", limit=100))
        ids = {row.run_id: Run.of(row).id for row in kept.rows}
        assert [ids[row.retry_of] for row in kept.rows if row.retry_of is not None] == FOUR_MINUTES
        assert shown(await runs.retry_many(query)) == [(run_id, ALREADY) for run_id in FOUR_MINUTES]
        assert len(service.called) == 4 + 1 + 4
        assert shown(await runs.retry_many(query, BulkRetry(again=True)))[0] == (FOUR_MINUTES[0], RETRIED)

    played(course)


def test_a_retry_that_fails_again_is_retried_and_not_what_it_repeats(played: Callable[..., None]) -> None:
    """However often it is called while the service is down, each call makes as many runs as there are failures."""

    async def course(world: World, service: Service) -> None:
        for turn in range(3):
            results = await world.scheduler.runs.retry_many(RunQuery(schedule="poll"))
            made = [result for result in results if result.outcome is RETRIED]
            assert (len(made), len(results)) == (4, 4 * (turn + 1))
            await world.advance(5)
        assert len(service.called) == 4 + 1 + 3 * 4

    played(course)


def test_a_limit_goes_on_where_it_was(played: Callable[..., None]) -> None:
    """The oldest so many; the next call goes on, whatever was retried before."""

    async def course(world: World, service: Service) -> None:
        service.is_down = False
        query = RunQuery(schedule="poll")
        for done in (0, 3):
            results = await world.scheduler.runs.retry_many(query, BulkRetry(limit=3))
            made = [result.id for result in results if result.outcome is RETRIED]
            assert made == FOUR_MINUTES[done : done + 3]

    played(course)


def test_a_dry_run_does_nothing(played: Callable[..., None]) -> None:
    """It says of each what would be done."""

    async def course(world: World, service: Service) -> None:
        runs = world.scheduler.runs
        await runs.retry(FOUR_MINUTES[1])
        await world.advance(5)
        results = await runs.retry_many(
            RunQuery(schedule="poll", due_until=BEGIN + 4 * MINUTE), BulkRetry(dry_run=True)
        )
        planned = [FOUR_MINUTES[0], FOUR_MINUTES[2]]
        assert shown(results) == [(FOUR_MINUTES[1], ALREADY), *((run_id, PLANNED) for run_id in planned)]
        assert len(service.called) == 4 + 1 + 1

    played(course)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 5),
        ({"schedule": "odd"}, 1),
        ({"tag": "poll"}, 4),
        ({"handler": "service"}, 5),
        ({"handler": "another"}, 0),
        ({"due_from": BEGIN + 3 * MINUTE}, 3),
        ({"states": frozenset({State.TIMED_OUT})}, 0),
        ({"states": frozenset({State.SUCCEEDED, State.FAILED}), "limit": 1}, 5),
    ],
)
def test_what_is_retried_is_what_a_query_finds(query: dict[str, Any], count: int) -> None:
    """By schedule, tag, handler, time, and final states; without a word what failed or timed out."""

    async def main() -> None:
        async with a_world() as world:
            await world.start({"service": Service()})
            await world.scheduler.schedules.put_many([minutely(), minutely("odd", "*/3 * * * *")])
            await world.advance(4 * 60 + 30)
            asked = BulkRetry(dry_run=True, wanted=lambda run: run.schedule in ("poll", "odd"))
            assert len(await world.scheduler.runs.retry_many(RunQuery(**query), asked)) == count

    in_virtual_time(main)


def test_what_is_refused_stops_no_other(played: Callable[..., None]) -> None:
    """Runs of a schedule that was removed cannot be retried; each says so, and the others are."""

    async def course(world: World, service: Service) -> None:
        service.is_down = False
        await world.scheduler.schedules.remove("poll")
        results = await world.scheduler.runs.retry_many()
        refused = [result for result in results if result.outcome is REFUSED]
        assert [result.id for result in refused] == FOUR_MINUTES
        assert all(result.error is not None and "the schedule poll of run" in result.error for result in refused)
        assert [result.id for result in results if result.outcome is RETRIED] == ["odd@2026-11-23T22:03:00Z"]

    played(course)


def test_what_cannot_be_asked() -> None:
    """Limits are bounded, and only what is final can be retried."""
    for limit in (0, RETRIES_MAX + 1):
        with pytest.raises(InvalidSchedule, match=f"^limit is {limit}: it must lie between 1 and 1000$"):
            BulkRetry(limit=limit)

    async def main() -> None:
        async with a_world() as world:
            await world.start({"service": Service()})
            states = frozenset({State.FAILED, State.RUNNING, State.PENDING})
            with pytest.raises(InvalidSchedule, match=r"^pending, running: only what is final can be retried$"):
                await world.scheduler.runs.retry_many(RunQuery(states=states))
            with pytest.raises(InvalidSchedule, match=r"^author is empty"):
                await world.scheduler.runs.retry_many(author="")

    in_virtual_time(main)
