"""What time alone makes due."""

from __future__ import annotations

import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND, a_schedule
from tests.repositories.contract.acts import (
    claim,
    decide,
    due_names,
    finish,
    keep,
    moving,
    put,
    putting,
    refuse,
    requeue,
    revise,
    run_of,
    schedule_of,
)
from trioarm.core.record import ScheduleState
from trioarm.core.states import Step
from trioarm.engine.ports import ScheduleRepository


class DueContract:
    """The due index holds what time alone starts, in order, until a commit settles it."""

    async def test_nothing_is_due_at_first(self, repository: ScheduleRepository) -> None:
        """An empty repository has nothing due and nothing to come."""
        view = await repository.read_due(NOW, 10)
        assert (view.groups, view.expired, repository.next_due_at) == ([], [], None)
        assert "house" not in view.busy_lanes

    async def test_a_schedule_is_due_at_its_instant(self, repository: ScheduleRepository) -> None:
        """It is not due a microsecond earlier."""
        await put(repository, next_due_at=NOW)
        assert repository.next_due_at == NOW
        assert await due_names(repository, NOW - 1) == []
        assert await due_names(repository, NOW) == [["nightly"]]

    async def test_the_earliest_comes_first_then_the_most_urgent(self, repository: ScheduleRepository) -> None:
        """Groups are ordered by instant, then by priority, and no more are read than asked for."""
        for name, late, priority in (("c", 2, 9), ("b", 1, 3), ("a", 1, 7), ("d", 0, 0)):
            await put(repository, name, next_due_at=NOW + late, priority=priority)
        assert repository.next_due_at == NOW
        assert await due_names(repository, NOW + 2) == [["d"], ["a"], ["b"], ["c"]]
        assert await due_names(repository, NOW + 2, limit=2) == [["d"], ["a"]]
        assert await due_names(repository, NOW + 1) == [["d"], ["a"], ["b"]]

    async def test_what_is_not_settled_comes_back(self, repository: ScheduleRepository) -> None:
        """A due entry stays due until a commit moves it; a refused commit does not."""
        record = await put(repository)
        assert await due_names(repository) == [["nightly"]]
        assert repository.next_due_at == NOW
        stale = moving(record, NOW, NOW + MINUTE)
        stale.expected_cursor_at = NOW - 7
        await refuse(repository, moved=[stale])
        assert await due_names(repository) == [["nightly"]]
        await keep(repository, moved=[moving(record, NOW, NOW + MINUTE)])
        assert await due_names(repository) == []
        assert repository.next_due_at == NOW + MINUTE

    async def test_a_move_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """Cursor, due instant, count of runs, state and anchor move together; an anchor of None keeps the old one."""
        record = await put(repository)
        await keep(repository, moved=[moving(record, NOW, NOW + MINUTE, runs=1, anchor_at=NOW + 5)])
        moved = await schedule_of(repository, "nightly")
        assert (moved.cursor_at, moved.next_due_at, moved.runs) == (NOW, NOW + MINUTE, 1)
        assert (moved.state, moved.anchor_at, moved.revision) == (ScheduleState.ACTIVE, NOW + 5, 1)
        await keep(repository, moved=[moving(moved, NOW + MINUTE, None, runs=2, state=ScheduleState.FINISHED)])
        ended = await schedule_of(repository, "nightly")
        assert (ended.cursor_at, ended.next_due_at, ended.runs) == (NOW + MINUTE, None, 2)
        assert (ended.state, ended.anchor_at) == (ScheduleState.FINISHED, NOW + 5)
        assert repository.next_due_at is None

    async def test_of_two_moves_of_one_reading_only_the_first_is_kept(self, repository: ScheduleRepository) -> None:
        """The end of a run sets what is next and moves no cursor: who has not seen it must not take it back."""
        record = await put(repository, next_due_at=None)
        first = moving(record, record.cursor_at, NOW + MINUTE, anchor_at=NOW)
        second = moving(record, NOW, None)
        await keep(repository, moved=[first])
        await refuse(repository, moved=[second])
        assert (await schedule_of(repository, "nightly")).next_due_at == NOW + MINUTE
        assert repository.next_due_at == NOW + MINUTE

    async def test_a_move_by_another_revision_is_refused(self, repository: ScheduleRepository) -> None:
        """Who planned with an old definition, or for a removed schedule, moves nothing."""
        record = await put(repository)
        move = moving(record, NOW, NOW + MINUTE)
        await revise(repository, record)
        await refuse(repository, moved=[move])
        assert (await schedule_of(repository, "nightly")).next_due_at == NOW
        assert await due_names(repository) == [["nightly"]]

    @pytest.mark.parametrize("state", [ScheduleState.PAUSED, ScheduleState.FINISHED, ScheduleState.QUARANTINED])
    async def test_only_active_schedules_are_due(self, repository: ScheduleRepository, state: ScheduleState) -> None:
        """A schedule that is paused, finished or quarantined waits for no instant, until it is active again."""
        key = (await put(repository, state=state)).key
        assert repository.next_due_at is None
        assert await due_names(repository, NOW + HOUR) == []
        await keep(repository, schedules=[putting(a_schedule(), 1, key)])
        assert await due_names(repository) == [["nightly"]]
        await keep(repository, schedules=[putting(a_schedule(), 2, key, state=state)])
        assert (repository.next_due_at, await due_names(repository)) == (None, [])

    async def test_a_revision_moves_the_due_instant(self, repository: ScheduleRepository) -> None:
        """Only the latest due instant of a schedule counts."""
        key = (await put(repository)).key
        await keep(repository, schedules=[putting(a_schedule(), 1, key, next_due_at=NOW + HOUR)])
        assert repository.next_due_at == NOW + HOUR
        assert await due_names(repository, NOW + MINUTE) == []
        await keep(repository, schedules=[putting(a_schedule(), 2, key, next_due_at=NOW - HOUR)])
        assert repository.next_due_at == NOW - HOUR

    async def test_a_group_brings_its_unfinished_runs(self, repository: ScheduleRepository) -> None:
        """Planning sees the schedule's runs that have steps to go, and no finished or foreign ones."""
        record, other = await put(repository), await put(repository, "other", next_due_at=NOW + HOUR)
        waiting, running = await decide(repository, record), await decide(repository, record, NOW + 1)
        ended = await decide(repository, record, NOW + 2)
        await decide(repository, other)
        await claim(repository, running)
        await finish(repository, ended, Step.CANCEL)
        (group,) = (await repository.read_due(NOW, 10)).groups
        assert [record.schedule.name for record in group.schedules] == ["nightly"]
        assert sorted(run.run_id for run in group.unfinished) == [waiting.run_id, running.run_id]

    async def test_a_superseding_lane_is_one_group(self, repository: ScheduleRepository) -> None:
        """However many of its schedules are due: all members come once, with all unfinished runs of the lane (S5.1)."""
        lane = {"lane": "house", "supersede": True}
        arm = await put(repository, "arm", next_due_at=NOW, **lane)
        await put(repository, "disarm", next_due_at=NOW + SECOND, **lane)
        await put(repository, "later", next_due_at=NOW + HOUR, **lane)
        guest = await put(repository, "guest", next_due_at=None, lane="house")
        await put(repository, "garden", next_due_at=NOW, lane="garden", supersede=True)
        runs = [await decide(repository, arm), await decide(repository, guest)]
        view = await repository.read_due(NOW + MINUTE, 10)
        groups = {frozenset(record.schedule.name for record in group.schedules): group for group in view.groups}
        assert set(groups) == {frozenset({"arm", "disarm", "later"}), frozenset({"garden"})}
        house = groups[frozenset({"arm", "disarm", "later"})]
        assert sorted(run.run_id for run in house.unfinished) == [run.run_id for run in runs]
        assert len(groups[frozenset({"garden"})].unfinished) == 0
        assert len(view.groups) == 2

    async def test_a_schedule_may_leave_its_superseding_lane(self, repository: ScheduleRepository) -> None:
        """A revision moves it to another lane, or out of all; a removed member is gone too."""
        arm = await put(repository, "arm", lane="house", supersede=True)
        await put(repository, "disarm", lane="house", supersede=True)
        assert [sorted(names) for names in await due_names(repository)] == [["arm", "disarm"]]
        arm = await revise(repository, arm, lane="garden", supersede=True)
        assert sorted(await due_names(repository)) == [["arm"], ["disarm"]]
        arm = await revise(repository, arm, lane="house", supersede=True)
        assert [sorted(names) for names in await due_names(repository)] == [["arm", "disarm"]]
        arm = await revise(repository, arm, lane="house")
        assert sorted(await due_names(repository)) == [["arm"], ["disarm"]]

    async def test_a_run_due_later_is_a_due_entry(self, repository: ScheduleRepository) -> None:
        """A run that may start later makes the engine look then; the look makes it ready and settles the entry."""
        record = await put(repository, next_due_at=None)
        run = await decide(repository, record, NOW, due_at=NOW + MINUTE)
        assert repository.next_due_at == NOW + MINUTE
        view = await repository.read_due(NOW + MINUTE, 10)
        assert (view.groups, view.expired) == ([], [])
        assert repository.next_due_at is None
        assert [one.run_id for one in await repository.read_ready(["work"], 10)] == [run.run_id]

    async def test_giving_up_is_a_due_entry(self, repository: ScheduleRepository) -> None:
        """A pending run comes back as expired when its time is over, until it is settled, and not once it is held."""
        record = await put(repository, next_due_at=None)
        waiting = await decide(repository, record, give_up_at=NOW + MINUTE)
        held = await decide(repository, record, NOW + 1, give_up_at=NOW + SECOND)
        patient = await decide(repository, record, NOW + 2)
        await claim(repository, held)
        assert repository.next_due_at == NOW + MINUTE
        assert (await repository.read_due(NOW + MINUTE - 1, 10)).expired == []
        for _ in range(2):
            expired = (await repository.read_due(NOW + HOUR, 10)).expired
            assert [run.run_id for run in expired] == [waiting.run_id]
        await finish(repository, waiting, Step.MISS, NOW + HOUR)
        assert (await repository.read_due(NOW + HOUR, 10)).expired == []
        assert repository.next_due_at is None
        assert (await run_of(repository, patient)).unfinished

    async def test_a_retry_is_a_due_entry(self, repository: ScheduleRepository) -> None:
        """A retry waits in the repository, not in a sleep, and may have a new instant at which to give up (S6.4)."""
        run = await claim(repository, await decide(repository, await put(repository, next_due_at=None)))
        assert repository.next_due_at is None
        await requeue(repository, run, due_at=NOW + MINUTE, give_up_at=NOW + HOUR)
        assert repository.next_due_at == NOW + MINUTE
        assert (await repository.read_due(NOW + MINUTE, 10)).expired == []
        assert repository.next_due_at == NOW + HOUR
        expired = (await repository.read_due(NOW + HOUR, 10)).expired
        assert [one.run_id for one in expired] == [run.run_id]

    async def test_what_is_further_due_is_behind_what_was_handed_out(self, repository: ScheduleRepository) -> None:
        """Each schedule once, until the next look, which hands out again what no commit settled."""
        for number in range(5):
            await put(repository, f"s{number}", next_due_at=NOW + number)
        assert await due_names(repository, NOW + 3, limit=2) == [["s0"], ["s1"]]
        assert repository.next_due_at == NOW
        assert further_names(repository, NOW + 3, limit=1) == ["s2"]
        assert further_names(repository, NOW + 3) == ["s3"]
        assert further_names(repository, NOW + 3) == []
        assert await due_names(repository, NOW + 3) == [["s0"], ["s1"], ["s2"], ["s3"]]

    async def test_what_was_settled_is_not_further_due(self, repository: ScheduleRepository) -> None:
        """Not before the instant its cursor was moved to."""
        records = [await put(repository, name, next_due_at=NOW) for name in ("a", "b", "c")]
        assert await due_names(repository, NOW, limit=1) == [["a"]]
        await keep(repository, moved=[moving(records[0], NOW, NOW + MINUTE)])
        assert further_names(repository, NOW) == ["b", "c"]
        assert further_names(repository, NOW) == []
        assert await due_names(repository, NOW + MINUTE) == [["b"], ["c"], ["a"]]

    async def test_what_needs_more_than_a_plan_is_not_further_due(self, repository: ScheduleRepository) -> None:
        """Lanes, and runs with steps to go, are for the next look, which finds them."""
        await put(repository, "first", next_due_at=NOW)
        await put(repository, "house", next_due_at=NOW + 1, lane="house")
        busy = await put(repository, "busy", next_due_at=NOW + 2)
        await decide(repository, busy, nominal_at=NOW)
        assert await due_names(repository, NOW + MINUTE, limit=1) == [["first"]]
        assert further_names(repository, NOW + MINUTE) == []
        names = await due_names(repository, NOW + MINUTE)
        assert [name for name in names if name in (["first"], ["house"])] == [["first"], ["house"]]


def further_names(repository: ScheduleRepository, now: int, limit: int = 100) -> list[str]:
    """Return the names of the schedules that are due behind those that were handed out."""
    return [record.schedule.name for group in repository.further_due(now, limit) for record in group.schedules]
