"""What is backfilled: found by its occurrence, behind all others, and no reason for a live one not to run (S5.3)."""

from __future__ import annotations

from tests.making import HOUR, MINUTE, NOW, SECOND
from tests.repositories.contract.acts import decide, put, ready_ids, revise
from trioarm.core.queries import RunQuery
from trioarm.core.run import Origin
from trioarm.core.states import Reason, State
from trioarm.engine.ports import ScheduleRepository

BACKFILL = {"origin": Origin.BACKFILL, "decided_at": NOW}
MANY = 150  # more than are read of one schedule to decide whether a run of it is unfinished


class BackfillingContract:
    """Backfilled runs lie beside the decisions of the same occurrences (S2.4)."""

    async def test_what_stands_for_an_occurrence_is_found_by_it(self, repository: ScheduleRepository) -> None:
        """Whatever made it, told apart by microseconds or not, alone or in a range; of no other schedule."""
        record, other = await put(repository), await put(repository, "other")
        ran = await decide(repository, record, NOW)
        await decide(repository, other, NOW)
        await decide(repository, record, NOW + HOUR)
        fields = {"state": State.SKIPPED, "reason": Reason.PAUSED, "waiting_for": None, "finished_at": NOW}
        across = await decide(repository, record, NOW - 3 * MINUTE, last_at=NOW - MINUTE, count=3, **fields)
        alone = await decide(repository, record, NOW + MINUTE, **fields)
        again = await decide(repository, record, NOW, lane="a", **BACKFILL)
        once_more = await decide(repository, record, NOW + 999, lane="a", due_at=NOW, **BACKFILL)
        await decide(repository, record, NOW + 1_000, lane="a", **BACKFILL)

        async def found(*instants: int) -> list[int]:
            return [run.run_id for run in await repository.runs_of(record, instants)]

        here = [ran.run_id, again.run_id, once_more.run_id]
        assert await found(NOW) == here
        assert await found(NOW - 2 * MINUTE) == [across.run_id]
        assert await found(NOW - 2 * MINUTE, NOW, NOW + MINUTE) == sorted([*here, across.run_id, alone.run_id])
        assert await found(NOW + 2 * MINUTE) == []

    async def test_runs_are_found_by_what_made_them(self, repository: ScheduleRepository) -> None:
        """One origin, several, or none, alone and with other filters."""
        record = await put(repository)
        runs = {origin: (await decide(repository, record, NOW, origin=origin)).run_id for origin in Origin}

        async def found(*origins: Origin, **more: object) -> set[int]:
            query = RunQuery(origins=frozenset(origins), **more)
            return {run.run_id for run in (await repository.find_runs(query)).rows}

        assert await found(Origin.BACKFILL) == {runs[Origin.BACKFILL]}
        two = {runs[Origin.MANUAL], runs[Origin.RETRY]}
        assert await found(Origin.MANUAL, Origin.RETRY) == two
        narrow = {"schedule": "nightly", "states": frozenset({State.PENDING}), "due_from": NOW}
        assert await found(Origin.MANUAL, Origin.RETRY, **narrow) == two
        assert await found(Origin.MANUAL, due_from=NOW + 1) == await found() == set()

    async def test_what_is_backfilled_is_the_least_urgent(self, repository: ScheduleRepository) -> None:
        """Behind whatever else waits for a worker or for its lane, and still so once its schedule has another
        priority."""
        urgent = await put(repository, "urgent", priority=9)
        least = await put(repository, "least", priority=0, lane="disk")
        back = await decide(repository, urgent, NOW - HOUR, lane="own", **BACKFILL)
        in_lane = await decide(repository, least, NOW - HOUR, **BACKFILL)
        live = await decide(repository, least, NOW)
        ready = await ready_ids(repository)
        assert [one for one in ready if one != in_lane.run_id] == [live.run_id, back.run_id]
        await revise(repository, urgent, priority=8)
        ready = await ready_ids(repository)
        assert [one for one in ready if one != in_lane.run_id] == [live.run_id, back.run_id]
        assert ready.index(live.run_id) == 0

    async def test_a_live_run_is_seen_among_many_that_are_backfilled(self, repository: ScheduleRepository) -> None:
        """Planning is told of the run that an overlap is judged by, however many wait before it."""
        record = await put(repository, next_due_at=NOW + SECOND)
        for number in range(MANY):
            await decide(repository, record, NOW - HOUR + number * SECOND, lane="own", **BACKFILL)
        live = await decide(repository, record, NOW)
        [group] = (await repository.read_due(NOW + SECOND, 10)).groups
        assert live.run_id in [run.run_id for run in group.unfinished]

    async def test_what_is_backfilled_does_not_wait_the_longest(self, repository: ScheduleRepository) -> None:
        """Its instant is long ago, and nobody is late with it."""
        record = await put(repository)
        await decide(repository, record, NOW - HOUR, **BACKFILL)
        assert (await repository.statistics()).oldest_pending_at is None
        await decide(repository, record, NOW)
        assert (await repository.statistics()).oldest_pending_at == NOW
