"""What people change about the future: pauses that end by themselves, skipped and postponed occurrences (S5.7)."""

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
    ready_ids,
    refuse,
    requeue,
    revise,
    run_of,
    schedule_of,
)
from trioarm.core.bounds import NOTE_MAX
from trioarm.core.changes import Requeued
from trioarm.core.queries import ScheduleQuery
from trioarm.core.record import AMENDMENTS_MAX, Amendment, AmendmentKind, Pause, ScheduleRecord
from trioarm.core.record import ScheduleState as Schedules
from trioarm.core.run import RunRecord
from trioarm.core.states import State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository

SKIPPED = Amendment(AmendmentKind.SKIP, NOW + HOUR, None, "somebody", "guests: “late”", NOW)
POSTPONED = Amendment(AmendmentKind.POSTPONE, NOW + 2 * HOUR, NOW + 3 * HOUR, "another", "", NOW + 1, times=2)
UNTIL = Pause("somebody", "holiday", NOW, NOW + HOUR)


async def _paused(
    repository: ScheduleRepository, pause: Pause | None = UNTIL, *, enabled: bool = True
) -> ScheduleRecord:
    schedule = a_schedule(enabled=enabled)
    await keep(repository, schedules=[putting(schedule, state=Schedules.PAUSED, pause=pause)])
    return await schedule_of(repository, "nightly")


class AmendingContract:
    """Amendments are kept with their schedule, a pause may end by itself, and a run that waits may wait longer."""

    async def test_amendments_are_kept_whole(self, repository: ScheduleRepository) -> None:
        """Every field of each comes back, in order, from whatever finds the schedule; without any there are none."""
        await put(repository, "plain")
        await keep(repository, schedules=[putting(a_schedule(), amendments=(SKIPPED, POSTPONED))])
        assert (await schedule_of(repository, "nightly")).amendments == (SKIPPED, POSTPONED)
        assert (await schedule_of(repository, "plain")).amendments == ()
        rows = (await repository.find_schedules(ScheduleQuery())).rows
        assert [record.amendments for record in rows] == [(SKIPPED, POSTPONED), ()]
        groups = (await repository.read_due(NOW, 10)).groups
        assert {group.schedules[0].amendments for group in groups} == {(SKIPPED, POSTPONED), ()}
        run = await decide(repository, await schedule_of(repository, "nightly"))
        assert run.schedule.amendments == (SKIPPED, POSTPONED)

    async def test_as_many_amendments_as_there_may_be_are_kept(self, repository: ScheduleRepository) -> None:
        """The most that a schedule may have, each with the longest of notes."""
        many = tuple(
            Amendment(AmendmentKind.SKIP, NOW + number * HOUR, None, "j" * 128, "ě" * NOTE_MAX, NOW)
            for number in range(AMENDMENTS_MAX)
        )
        await keep(repository, schedules=[putting(a_schedule(), amendments=many)])
        assert (await schedule_of(repository, "nightly")).amendments == many

    async def test_a_revision_says_which_amendments_there_are(self, repository: ScheduleRepository) -> None:
        """Those of the put take the place of those before: none of them is kept that it does not name."""
        await keep(repository, schedules=[putting(a_schedule(), amendments=(SKIPPED, POSTPONED))])
        key = (await schedule_of(repository, "nightly")).key
        await keep(repository, schedules=[putting(a_schedule(), 1, key, amendments=(POSTPONED,))])
        assert (await schedule_of(repository, "nightly")).amendments == (POSTPONED,)
        await refuse(repository, schedules=[putting(a_schedule(), 1, key, amendments=(SKIPPED,))])
        await keep(repository, schedules=[putting(a_schedule(), 2, key)])
        assert (await schedule_of(repository, "nightly")).amendments == ()

    async def test_a_move_keeps_the_amendments(self, repository: ScheduleRepository) -> None:
        """Only a put changes them: what the cursor has passed means nothing any more and goes with the next one."""
        await keep(repository, schedules=[putting(a_schedule(), amendments=(SKIPPED, POSTPONED))])
        record = await schedule_of(repository, "nightly")
        await keep(repository, moved=[moving(record, NOW + HOUR, NOW + 2 * HOUR)])
        assert (await schedule_of(repository, "nightly")).amendments == (SKIPPED, POSTPONED)

    async def test_a_pause_with_an_end_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """Who, why, since when and until when."""
        record = await _paused(repository)
        assert (record.state, record.pause) == (Schedules.PAUSED, UNTIL)

    async def test_the_end_of_a_pause_is_a_due_entry(self, repository: ScheduleRepository) -> None:
        """A schedule that is paused until an instant is due then, whatever it is due for itself, and not before."""
        await _paused(repository)
        assert repository.next_due_at == NOW + HOUR
        assert await due_names(repository, NOW + HOUR - 1) == []
        assert await due_names(repository, NOW + HOUR) == [["nightly"]]
        assert await due_names(repository, NOW + HOUR) == [["nightly"]]

    @pytest.mark.parametrize(
        ("pause", "enabled"), [(Pause("somebody", "", NOW), True), (None, False), (UNTIL, False)], ids=str
    )
    async def test_another_pause_ends_by_command(
        self, repository: ScheduleRepository, pause: Pause | None, enabled: bool
    ) -> None:
        """Without an end, or disabled by its definition, time alone starts nothing."""
        await _paused(repository, pause, enabled=enabled)
        assert repository.next_due_at is None
        assert await due_names(repository, NOW + 2 * HOUR) == []

    async def test_a_pause_that_is_over_is_gone(self, repository: ScheduleRepository) -> None:
        """The move that resumes a schedule takes the pause away and makes it due like any other (S5.3)."""
        record = await _paused(repository)
        await keep(repository, moved=[moving(record, NOW + HOUR, NOW + 2 * HOUR, resumed=True)])
        resumed = await schedule_of(repository, "nightly")
        assert (resumed.state, resumed.pause, resumed.revision) == (Schedules.ACTIVE, None, 1)
        assert (resumed.cursor_at, resumed.next_due_at) == (NOW + HOUR, NOW + 2 * HOUR)
        assert repository.next_due_at == NOW + 2 * HOUR
        assert await due_names(repository, NOW + HOUR) == []

    async def test_a_schedule_may_end_with_its_pause(self, repository: ScheduleRepository) -> None:
        """With nothing to come it is finished, and paused no more."""
        record = await _paused(repository)
        await keep(repository, moved=[moving(record, NOW + HOUR, None, state=Schedules.FINISHED, resumed=True)])
        ended = await schedule_of(repository, "nightly")
        assert (ended.state, ended.pause, repository.next_due_at) == (Schedules.FINISHED, None, None)

    async def test_another_move_leaves_the_pause(self, repository: ScheduleRepository) -> None:
        """A fixed delay whose run ends while it is paused counts on, and stays paused until the same instant."""
        record = await _paused(repository)
        await keep(repository, moved=[moving(record, NOW, NOW + 2 * HOUR, state=Schedules.PAUSED)])
        moved = await schedule_of(repository, "nightly")
        assert (moved.state, moved.pause, repository.next_due_at) == (Schedules.PAUSED, UNTIL, NOW + HOUR)

    async def test_an_end_by_another_revision_is_refused(self, repository: ScheduleRepository) -> None:
        """Who was about to end a pause that somebody has changed meanwhile ends nothing."""
        record = await _paused(repository)
        move = moving(record, NOW + HOUR, NOW + 2 * HOUR, resumed=True)
        longer = Pause("another", "", NOW, NOW + 3 * HOUR)
        await keep(repository, schedules=[putting(a_schedule(), 1, record.key, state=Schedules.PAUSED, pause=longer)])
        await refuse(repository, moved=[move])
        assert (await schedule_of(repository, "nightly")).pause == longer
        assert repository.next_due_at == NOW + 3 * HOUR

    async def test_a_lane_brings_the_member_whose_pause_ends(self, repository: ScheduleRepository) -> None:
        """The end of a pause makes the whole superseding lane due: what follows is decided together (S5.5)."""
        lane = {"lane": "house", "supersede": True}
        await put(repository, "arm", next_due_at=NOW + 2 * HOUR, **lane)
        await keep(
            repository,
            schedules=[putting(a_schedule("disarm", **lane), state=Schedules.PAUSED, pause=UNTIL)],
        )
        assert repository.next_due_at == NOW + HOUR
        assert [sorted(names) for names in await due_names(repository, NOW + HOUR)] == [["arm", "disarm"]]

    # A run that waits already

    async def test_a_postponed_run_is_a_due_entry(self, repository: ScheduleRepository) -> None:
        """Decided to start later it waits for that instant in the repository, like a retry."""
        record = await put(repository, next_due_at=None)
        later = {"due_at": NOW + HOUR, "give_up_at": NOW + 2 * HOUR, "waiting_for": WaitingFor.POSTPONE}
        run = await decide(repository, record, decided_at=NOW, **later)
        assert (run.state, run.waiting_for, run.due_at) == (State.PENDING, WaitingFor.POSTPONE, NOW + HOUR)
        assert (await ready_ids(repository), repository.next_due_at) == ([], NOW + HOUR)
        assert (await repository.read_due(NOW + HOUR, 10)).expired == []
        assert await ready_ids(repository) == [run.run_id]
        assert repository.next_due_at == NOW + 2 * HOUR

    async def test_a_run_that_waits_may_be_postponed(self, repository: ScheduleRepository) -> None:
        """It leaves the queue and is offered again at its instant; token, attempt and identity are what they were."""
        run = await decide(repository, await put(repository, next_due_at=None), give_up_at=NOW + MINUTE)
        assert await ready_ids(repository) == [run.run_id]
        later = {"attempt": 0, "due_at": NOW + HOUR, "give_up_at": NOW + 2 * HOUR}
        run = await requeue(repository, run, Step.POSTPONE, **later)
        assert (run.state, run.waiting_for, run.nominal_at) == (State.PENDING, WaitingFor.POSTPONE, NOW)
        assert (run.due_at, run.give_up_at, run.token, run.attempt) == (NOW + HOUR, NOW + 2 * HOUR, 0, 0)
        assert (await ready_ids(repository), repository.next_due_at) == ([], NOW + HOUR)
        view = await repository.read_due(NOW + HOUR, 10)
        assert (view.groups, view.expired, await ready_ids(repository)) == ([], [], [run.run_id])
        assert (await claim(repository, run)).token == 1

    async def test_a_postponed_run_may_start_earlier_again(self, repository: ScheduleRepository) -> None:
        """It is offered at once, and once, when its new instant is not to come."""
        run = await decide(repository, await put(repository, next_due_at=None))
        run = await requeue(repository, run, Step.POSTPONE, attempt=0, due_at=NOW + HOUR)
        run = await requeue(repository, run, Step.POSTPONE, attempt=0, due_at=NOW + SECOND, at=NOW + MINUTE)
        assert (await ready_ids(repository), repository.next_due_at) == ([run.run_id], None)
        for due_at in (NOW + HOUR, NOW + 2 * SECOND, NOW + HOUR, NOW + 2 * SECOND):
            run = await requeue(repository, run, Step.POSTPONE, attempt=0, due_at=due_at, at=NOW + MINUTE)
        other = await decide(repository, await put(repository, "other", next_due_at=None), NOW + 3 * SECOND)
        assert await ready_ids(repository) == [run.run_id, other.run_id]

    async def test_a_run_that_was_claimed_is_not_postponed(self, repository: ScheduleRepository) -> None:
        """Neither by the token before its claim, nor while somebody holds it, nor once it is final."""
        run = await decide(repository, await put(repository, next_due_at=None))
        run = await claim(repository, run)
        for token in (0, 1):
            await refuse(repository, steps=[_postponing(run, token)])
        run = await finish(repository, run)
        await refuse(repository, steps=[_postponing(run, 1)])
        assert (await run_of(repository, run)).due_at == NOW

    async def test_a_postponed_run_lets_the_next_of_its_lane_go_first(self, repository: ScheduleRepository) -> None:
        """It holds nothing: whoever waited behind it is offered, and later it takes its turn like any other."""
        record = await put(repository, lane="house", next_due_at=None)
        holder = await claim(repository, await decide(repository, record))
        second = await decide(repository, record, NOW + 1)
        third = await decide(repository, record, NOW + 2)
        await finish(repository, holder, at=NOW + 2)
        assert (await ready_ids(repository))[0] == second.run_id
        second = await requeue(repository, second, Step.POSTPONE, attempt=0, due_at=NOW + HOUR, at=NOW + 2)
        assert await ready_ids(repository) == [third.run_id]
        third = await claim(repository, third)
        await repository.read_due(NOW + HOUR, 10)
        assert await ready_ids(repository) == []
        await finish(repository, third, at=NOW + HOUR)
        assert await ready_ids(repository) == [second.run_id]

    async def test_a_postponed_run_outlives_a_revision(self, repository: ScheduleRepository) -> None:
        """A new definition changes nothing about when a decided run may start (S5.6)."""
        record = await put(repository, next_due_at=None)
        run = await requeue(repository, await decide(repository, record), Step.POSTPONE, attempt=0, due_at=NOW + HOUR)
        await revise(repository, record, handler="other")
        kept = await run_of(repository, run)
        assert (kept.waiting_for, kept.due_at) == (WaitingFor.POSTPONE, NOW + HOUR)
        assert repository.next_due_at == NOW + HOUR
        await repository.read_due(NOW + HOUR, 10)
        assert await ready_ids(repository, "other") == [run.run_id]


def _postponing(run: RunRecord, token: int) -> Requeued:
    return Requeued(run, token, Step.POSTPONE, NOW, 0, NOW + HOUR, WaitingFor.POSTPONE)
