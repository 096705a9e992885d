"""What is decided beyond a clock that was set back, and how it is taken back (S3.3)."""

from __future__ import annotations

from tests.making import HOUR, MINUTE, NOW, SECOND
from tests.repositories.contract.acts import (
    claim,
    decide,
    due_names,
    finish,
    keep,
    moving,
    put,
    ready_ids,
    refuse,
    remove,
    requeue,
    run_of,
    schedule_of,
)
from trioarm.core.changes import Cut, Finished, Requeued, RunStep, SetBack, Voided
from trioarm.core.correcting import Ahead
from trioarm.core.record import Amendment, AmendmentKind, ScheduleRecord
from trioarm.core.record import ScheduleState as Schedules
from trioarm.core.run import RunRecord
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository

AGAIN = Amendment(AmendmentKind.SKIP, NOW, None, "clock", "it ran", NOW - HOUR)


def setting_back(record: ScheduleRecord, to: int, next_due_at: int | None, **fields: object) -> SetBack:
    """Return the step that takes a cursor back, as read."""
    return SetBack(
        record,
        record.cursor_at,
        record.revision,
        record.next_due_at,
        to,
        next_due_at,
        **{"runs": 0, "state": Schedules.ACTIVE, "anchor_at": to, "amendments": ()} | fields,  # type: ignore[arg-type]
    )


async def _decided_until(repository: ScheduleRepository, cursor_at: int, name: str = "nightly") -> ScheduleRecord:
    record = await put(repository, name)
    await keep(repository, moved=[moving(record, cursor_at, cursor_at + MINUTE)])
    return await schedule_of(repository, name)


def _postponing(run: RunRecord, due_at: int) -> Requeued:
    return Requeued(run, run.token, Step.POSTPONE, NOW, run.attempt, due_at, WaitingFor.POSTPONE)


def _ids(ahead: Ahead) -> list[int]:
    return [run.run_id for run in ahead.runs]


class CorrectingContract:
    """What lies beyond an instant is found, whole and in pages; what is taken back begins a new epoch."""

    async def test_what_is_decided_beyond_now_is_found_by_key(self, repository: ScheduleRepository) -> None:
        """Schedules whose cursor is later than now, a page at a time; removed ones and others are not."""
        records = [await _decided_until(repository, NOW + HOUR, f"s{number}") for number in range(3)]
        await put(repository, "behind")
        await remove(repository, await _decided_until(repository, NOW + HOUR, "removed"))
        found = await repository.read_ahead(NOW, limit=2)
        assert [ahead.record.key for ahead in found] == [records[0].key, records[1].key]
        rest = await repository.read_ahead(NOW, after=records[1].key, limit=2)
        assert [ahead.record.schedule.name for ahead in rest] == ["s2"]
        assert await repository.read_ahead(NOW + HOUR) == []

    async def test_rows_beyond_now_come_with_their_schedule(self, repository: ScheduleRepository) -> None:
        """Waits that are later, and occurrences and ends of ranges unless they are voided already.

        A schedule whose cursor is not later comes for the sake of its waits, unless a person has named their instants.
        """
        record = await put(repository)
        other = await decide(repository, await put(repository, "other"), NOW + HOUR)
        asked = await decide(repository, await put(repository, "asked"), NOW)
        await keep(repository, steps=[_postponing(asked, NOW + HOUR)])
        before = await finish(repository, await claim(repository, await decide(repository, record, NOW)))
        beyond = await decide(repository, record, NOW + MINUTE)
        reaching = await decide(
            repository,
            record,
            NOW - HOUR,
            state=State.MISSED,
            reason=Reason.TOO_LATE,
            last_at=NOW + 2 * MINUTE,
            count=63,
            finished_at=NOW + 2 * MINUTE,
        )
        again = await requeue(
            repository, await claim(repository, await decide(repository, record, NOW - MINUTE)), due_at=NOW + SECOND
        )
        voided = await finish(repository, await claim(repository, await decide(repository, record, NOW + 3 * MINUTE)))
        begun = await claim(repository, await decide(repository, record, NOW + 4 * MINUTE))
        begun = await requeue(repository, begun, due_at=NOW + 5 * MINUTE)
        for run in (voided, begun):
            await keep(repository, steps=[Voided(run, run.token, NOW)])
        await keep(repository, moved=[moving(record, NOW + HOUR, NOW + 2 * HOUR)])
        ahead, waiting = await repository.read_ahead(NOW)
        assert _ids(waiting) == [other.run_id]
        assert _ids(ahead) == [beyond.run_id, reaching.run_id, again.run_id, begun.run_id]
        assert {run.schedule.schedule.name for run in ahead.runs} == {"nightly"}
        assert not {before.run_id, voided.run_id, other.run_id} & set(_ids(ahead))

    async def test_taken_back_is_another_epoch(self, repository: ScheduleRepository) -> None:
        """Cursor, next occurrence, count, anchor, amendments and state are as said; its occurrences are new ones."""
        record = await _decided_until(repository, NOW + HOUR)
        first = await decide(repository, record, NOW + MINUTE)
        record = await schedule_of(repository, "nightly")
        back = setting_back(record, NOW, NOW + MINUTE, runs=7, anchor_at=NOW - 5, amendments=(AGAIN,))
        await keep(repository, schedules=[back])
        kept = await schedule_of(repository, "nightly")
        assert (kept.epoch, kept.revision, kept.cursor_at, kept.next_due_at) == (1, 2, NOW, NOW + MINUTE)
        assert (kept.runs, kept.anchor_at, kept.amendments, kept.state) == (7, NOW - 5, (AGAIN,), Schedules.ACTIVE)
        second = await decide(repository, kept, NOW + MINUTE, epoch=1)
        assert (first.epoch, second.epoch) == (0, 1)
        found = [await repository.get_run_of("nightly", NOW + MINUTE, first.origin, epoch) for epoch in (0, 1)]
        assert [run.run_id for run in found if run is not None] == [first.run_id, second.run_id]
        await refuse(repository, decided=[RunRecord(kept, NOW + MINUTE, NOW, NOW, epoch=1)])

    async def test_it_is_due_when_its_instant_comes(self, repository: ScheduleRepository) -> None:
        """The due index knows the earlier instant; one that is over is not due any more."""
        back = setting_back(await _decided_until(repository, NOW + HOUR), NOW, NOW + MINUTE)
        over = await _decided_until(repository, NOW + HOUR, "over")
        await keep(repository, schedules=[back])
        await keep(repository, schedules=[setting_back(over, NOW, None, state=Schedules.FINISHED)])
        assert await due_names(repository, NOW) == []
        assert repository.next_due_at == NOW + MINUTE
        assert await due_names(repository, NOW + MINUTE) == [["nightly"]]
        assert (await schedule_of(repository, "over")).state is Schedules.FINISHED

    async def test_who_was_faster_is_not_taken_back(self, repository: ScheduleRepository) -> None:
        """Another cursor, revision or next occurrence, or no schedule any more: refused."""
        record = await _decided_until(repository, NOW + HOUR)
        back = setting_back(record, NOW, NOW + MINUTE)
        back.expected_cursor_at -= 1
        await refuse(repository, schedules=[back])
        back = setting_back(record, NOW, NOW + MINUTE)
        back.expected_revision += 1
        await refuse(repository, schedules=[back])
        for expected_at in (None, NOW):  # a fixed delay, whose run has just ended
            back = setting_back(record, NOW, NOW + MINUTE)
            back.expected_next_due_at = expected_at
            await refuse(repository, schedules=[back])
        back = setting_back(record, NOW, NOW + MINUTE)
        await remove(repository, record)
        await refuse(repository, schedules=[back])

    async def test_a_voided_run_stays_as_it_is(self, repository: ScheduleRepository) -> None:
        """It says since when, once; one that waits goes on waiting, one that works goes on working."""
        record = await put(repository)
        waiting = await decide(repository, record, NOW + MINUTE)
        held = await claim(repository, await decide(repository, record, NOW + 2 * MINUTE))
        await keep(repository, steps=[Voided(waiting, 0, NOW), Voided(held, held.token, NOW)])
        waiting, held = await run_of(repository, waiting), await run_of(repository, held)
        assert [(run.voided_at, run.state) for run in (waiting, held)] == [(NOW, State.PENDING), (NOW, State.CLAIMED)]
        await refuse(repository, steps=[Voided(held, held.token, NOW + 1)])
        await refuse(repository, steps=[Voided(waiting, 5, NOW + 1)])
        assert (await finish(repository, held)).voided_at == NOW

    async def test_a_run_may_be_voided_and_moved_on_at_once(self, repository: ScheduleRepository) -> None:
        """What never came due ends in the same change; what waits for another attempt may begin now."""
        record = await put(repository)
        waiting = await decide(repository, record, NOW + MINUTE)
        again = await requeue(
            repository, await claim(repository, await decide(repository, record, NOW + 2 * MINUTE)), due_at=NOW + HOUR
        )
        steps: list[RunStep] = [
            Voided(waiting, 0, NOW),
            Finished(waiting, 0, Step.SUPERSEDE, NOW, Reason.VOIDED),
            Voided(again, again.token, NOW),
            Requeued(again, again.token, Step.POSTPONE, NOW, 1, NOW, WaitingFor.RETRY),
        ]
        await keep(repository, steps=steps)
        ended = await run_of(repository, waiting)
        assert (ended.state, ended.reason, ended.voided_at) == (State.SUPERSEDED, Reason.VOIDED, NOW)
        await repository.read_due(NOW, 10)
        assert await ready_ids(repository) == [again.run_id]

    async def test_a_range_is_cut(self, repository: ScheduleRepository) -> None:
        """It ends where it is said to end, and stands for as many."""
        record = await put(repository)
        row = await decide(
            repository,
            record,
            NOW,
            state=State.MISSED,
            reason=Reason.TOO_LATE,
            last_at=NOW + HOUR,
            count=61,
            finished_at=NOW + HOUR,
        )
        await keep(repository, steps=[Cut(row, row.token, NOW, NOW + 9 * MINUTE, 10)])
        kept = await run_of(repository, row)
        assert (kept.last_at, kept.count, kept.state) == (NOW + 9 * MINUTE, 10, State.MISSED)
        await refuse(repository, steps=[Cut(row, 3, NOW, NOW, 1)])
