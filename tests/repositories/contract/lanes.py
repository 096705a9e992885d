"""Lanes: runs of one lane never overlap, whatever their schedule (S5.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import MINUTE, NOW, a_run
from tests.repositories.contract.acts import (
    claim,
    decide,
    finish,
    is_busy,
    keep,
    put,
    ready_ids,
    refuse,
    requeue,
    revise,
    run_of,
)
from trioarm.core.changes import Change, Claim, Finished, Verdict
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Overlap
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository

_CLAIMED: dict[str, Any] = {"state": State.CLAIMED, "waiting_for": None, "attempt": 1, "token": 1, "node": "n1"}


async def _in_lane(repository: ScheduleRepository, *names: str, **policies: Any) -> list[RunRecord]:
    """Decide one run of each new schedule, all in the lane `house`."""
    runs = []
    for name in names:
        record = await put(repository, name, lane="house", next_due_at=None, **policies)
        runs.append(await decide(repository, record))
    return runs


class LanesContract:
    """A run holds its lane from its first claim to its final state, retries included."""

    async def test_a_lane_has_one_holder(self, repository: ScheduleRepository) -> None:
        """While one run is held, no other of its lane can be claimed; other lanes are free (S5.5)."""
        first, second = await _in_lane(repository, "arm", "disarm")
        garden = await decide(repository, await put(repository, "garden", lane="garden", next_due_at=None))
        assert not await is_busy(repository, "house")
        await claim(repository, first)
        assert await is_busy(repository, "house")
        assert not await is_busy(repository, "garden")
        await refuse(repository, steps=[Claim(second, 0, "n2", NOW)])
        assert (await claim(repository, garden)).state is State.CLAIMED
        await finish(repository, await run_of(repository, first))
        assert not await is_busy(repository, "house")
        assert (await claim(repository, second, "n2")).state is State.CLAIMED

    async def test_of_two_claims_in_one_commit_the_lane_takes_the_first(self, repository: ScheduleRepository) -> None:
        """Claims of one lane that are committed together exclude each other too."""
        runs = await _in_lane(repository, "arm", "disarm")
        verdicts = await repository.commit([Change(steps=[Claim(run, 0, "n1", NOW)]) for run in runs])
        assert verdicts == [Verdict.DONE, Verdict.REFUSED]
        assert (await run_of(repository, runs[1])).state is State.PENDING

    async def test_a_run_inserted_claimed_takes_the_lane(self, repository: ScheduleRepository) -> None:
        """Its insertion is refused while another run holds the lane, and holds it against everyone else."""
        record = await put(repository, lane="house", next_due_at=None)
        run = await decide(repository, record, **_CLAIMED)
        await refuse(repository, decided=[a_run(record, NOW + 1, **_CLAIMED)])
        waiting = await decide(repository, record, NOW + 1)
        await refuse(repository, steps=[Claim(waiting, 0, "n1", NOW)])
        await finish(repository, run)
        assert (await claim(repository, waiting)).state is State.CLAIMED

    async def test_what_waits_for_its_lane_is_not_ready(self, repository: ScheduleRepository) -> None:
        """A run decided while its lane is held says so and is offered to nobody until the lane is free."""
        (holder,) = await _in_lane(repository, "arm")
        await claim(repository, holder)
        (waiter,) = await _in_lane(repository, "disarm")
        assert (waiter.state, waiter.waiting_for) == (State.PENDING, WaitingFor.LANE)
        assert await ready_ids(repository) == []
        await finish(repository, await run_of(repository, holder))
        assert await ready_ids(repository) == [waiter.run_id]
        assert (await run_of(repository, waiter)).waiting_for is WaitingFor.HANDLER

    async def test_what_waits_for_the_run_before_it_says_so(self, repository: ScheduleRepository) -> None:
        """In the lane of a schedule that keeps its runs apart, a run waits for the one before it (S5.4)."""
        record = await put(repository, next_due_at=None, overlap="buffer_all")
        first = await decide(repository, record, lane=record.lane(Overlap.BUFFER_ALL))
        await claim(repository, first)
        second = await decide(repository, record, NOW + 1, lane=first.lane)
        assert second.waiting_for is WaitingFor.OVERLAP
        assert await ready_ids(repository) == []
        await finish(repository, await run_of(repository, first), at=NOW + 1)
        assert await ready_ids(repository) == [second.run_id]
        assert (await run_of(repository, second)).waiting_for is WaitingFor.HANDLER

    async def test_a_blocked_run_hides_no_other(self, repository: ScheduleRepository) -> None:
        """Runs that were ready when their lane was taken stand in nobody's way: those behind are offered (S6.6)."""
        runs = await _in_lane(repository, "a", "b", "c", priority=9)
        free = await decide(repository, await put(repository, "free", next_due_at=None))
        await claim(repository, runs[0])
        assert await ready_ids(repository, limit=1) == [free.run_id]
        assert await ready_ids(repository, limit=9) == [free.run_id]
        await finish(repository, await run_of(repository, runs[0]))
        assert runs[1].run_id in await ready_ids(repository)

    async def test_a_retry_keeps_its_lane(self, repository: ScheduleRepository) -> None:
        """Between two attempts the lane stays with the run: others wait, it may be claimed again."""
        first, second = await _in_lane(repository, "arm", "disarm")
        first = await requeue(repository, await claim(repository, first), Step.RETRY, attempt=1, due_at=NOW + MINUTE)
        assert await is_busy(repository, "house")
        assert await ready_ids(repository) == []
        await refuse(repository, steps=[Claim(second, 0, "n1", NOW)])
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository) == [first.run_id]
        await finish(repository, await claim(repository, first), at=NOW + MINUTE)
        assert await ready_ids(repository) == [second.run_id]

    async def test_a_cancelled_retry_frees_its_lane(self, repository: ScheduleRepository) -> None:
        """A run that ends while it waits for its next attempt gives up the lane."""
        first, second = await _in_lane(repository, "arm", "disarm")
        first = await requeue(repository, await claim(repository, first), Step.RETRY, attempt=1, due_at=NOW + MINUTE)
        await finish(repository, first, Step.CANCEL, reason=Reason.SUPERSEDED)
        assert not await is_busy(repository, "house")
        assert await ready_ids(repository) == [second.run_id]
        assert repository.next_due_at is None

    @pytest.mark.parametrize("step", [Step.GIVE_BACK, Step.SNOOZE])
    async def test_what_counts_no_attempt_keeps_its_lane(self, repository: ScheduleRepository, step: Step) -> None:
        """A run that was given back, or snoozes, stays before all others of its lane, however urgent they are."""
        (first,) = await _in_lane(repository, "arm", priority=3)
        await claim(repository, first)
        (second,) = await _in_lane(repository, "disarm", priority=7)
        first = await requeue(repository, await run_of(repository, first), step, attempt=0, due_at=NOW + MINUTE)
        assert await is_busy(repository, "house")
        assert await ready_ids(repository) == []
        await refuse(repository, steps=[Claim(second, 0, "n2", NOW)])
        (third,) = await _in_lane(repository, "late", priority=9)
        assert third.waiting_for is WaitingFor.LANE
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository) == [first.run_id]
        await finish(repository, await claim(repository, first, "n2", NOW + MINUTE), at=NOW + MINUTE)
        assert (await ready_ids(repository))[0] == third.run_id

    async def test_waiters_are_released_by_urgency(self, repository: ScheduleRepository) -> None:
        """The lane goes to the highest priority, then to the longest due, then to the first decided."""
        (holder,) = await _in_lane(repository, "holder")
        holder = await claim(repository, holder)
        records = [
            await put(repository, name, lane="house", next_due_at=None, priority=priority)
            for name, priority in (("b", 5), ("a", 5), ("old", 5), ("urgent", 8))
        ]
        late = [await decide(repository, record, NOW) for record in records[:2]]
        old = await decide(repository, records[2], NOW - MINUTE, decided_at=NOW)
        urgent = await decide(repository, records[3], NOW)
        order = []
        for _ in range(4):
            await finish(repository, holder)
            ready = await repository.read_ready(["work"], 1)
            order.append(ready[0].run_id)
            holder = await claim(repository, ready[0])
        assert order == [run.run_id for run in (urgent, old, *late)]

    async def test_a_handler_without_workers_keeps_no_other_from_its_lane(self, repository: ScheduleRepository) -> None:
        """The lane is offered to the first waiter of each handler: one that is not registered blocks nobody (S2.6)."""
        (holder,) = await _in_lane(repository, "holder")
        holder = await claim(repository, holder)
        await _in_lane(repository, "gone", handler="gone", priority=9)
        arm, later = await _in_lane(repository, "arm", "later")
        await finish(repository, holder)
        assert (await ready_ids(repository))[0] == arm.run_id
        record = await put(repository, "moved", lane="house", next_due_at=None)
        await claim(repository, arm)
        await revise(repository, arm.schedule, lane="house", handler="gone", at=NOW)
        await finish(repository, await run_of(repository, arm))
        await revise(repository, later.schedule, lane="house", handler="gone", at=NOW)
        last = await decide(repository, record)
        assert await ready_ids(repository) == [last.run_id]

    async def test_a_waiter_whose_handler_goes_leaves_its_turn(self, repository: ScheduleRepository) -> None:
        """When the run whose turn it is gets a handler without workers, the one behind it is offered."""
        (holder,) = await _in_lane(repository, "holder")
        holder = await claim(repository, holder)
        first, second = await _in_lane(repository, "first", "second")
        await finish(repository, holder)
        assert (await ready_ids(repository))[0] == first.run_id
        await revise(repository, first.schedule, lane="house", handler="gone", at=NOW)
        assert await ready_ids(repository) == [second.run_id]

    async def test_a_waiter_that_ended_is_passed_over(self, repository: ScheduleRepository) -> None:
        """The lane goes to the next one that still waits."""
        (holder,) = await _in_lane(repository, "holder")
        holder = await claim(repository, holder)
        gone, next_one = await _in_lane(repository, "gone", "next")
        await finish(repository, gone, Step.CANCEL)
        assert await ready_ids(repository) == []
        await finish(repository, holder)
        assert await ready_ids(repository) == [next_one.run_id]

    async def test_waiting_for_a_lane_ends_in_time_too(self, repository: ScheduleRepository) -> None:
        """A run that waits for its lane expires like any other, and is not released afterwards."""
        (holder,) = await _in_lane(repository, "holder")
        holder = await claim(repository, holder)
        record = await put(repository, lane="house", next_due_at=None)
        waiter = await decide(repository, record, give_up_at=NOW + MINUTE)
        assert repository.next_due_at == NOW + MINUTE
        expired = (await repository.read_due(NOW + MINUTE, 10)).expired
        assert [run.run_id for run in expired] == [waiter.run_id]
        await finish(repository, waiter, Step.MISS, NOW + MINUTE)
        await finish(repository, holder, at=NOW + MINUTE)
        assert await ready_ids(repository) == []

    async def test_giving_way_and_deciding_is_one_change(self, repository: ScheduleRepository) -> None:
        """In a superseding lane the older run ends and the newer one is decided together, and then it can start."""
        arm = await put(repository, "arm", lane="house", supersede=True, next_due_at=None)
        disarm = await put(repository, "disarm", lane="house", supersede=True, next_due_at=None)
        old = await decide(repository, arm)
        held = await requeue(repository, await claim(repository, old), Step.RETRY, attempt=1, due_at=NOW + MINUTE)
        waiter = await decide(repository, arm, NOW + 1)
        newer = a_run(disarm, NOW + 2)
        steps = [
            Finished(held, held.token, Step.CANCEL, NOW + 2, Reason.SUPERSEDED),
            Finished(waiter, 0, Step.SUPERSEDE, NOW + 2, Reason.SUPERSEDED),
        ]
        await keep(repository, decided=[newer], steps=steps)
        assert [(await run_of(repository, run)).state.value for run in (old, waiter)] == ["cancelled", "superseded"]
        assert await ready_ids(repository) == [newer.run_id]
        assert not await is_busy(repository, "house")

    async def test_a_run_keeps_to_the_lane_it_was_decided_in(self, repository: ScheduleRepository) -> None:
        """A revision that changes the lane changes nothing for runs decided before (S5.6)."""
        record = await put(repository, lane="house", next_due_at=None)
        run = await decide(repository, record)
        record = await revise(repository, record, lane="garden")
        newer = await decide(repository, record, NOW + 1)
        await claim(repository, await run_of(repository, run))
        assert await is_busy(repository, "house")
        assert not await is_busy(repository, "garden")
        assert (await claim(repository, newer)).lane == "garden"
        assert await is_busy(repository, "garden")
