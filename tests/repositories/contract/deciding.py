"""Decisions: their identity, and all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.making import HOUR, MINUTE, NOW, a_run
from tests.repositories.contract.acts import (
    claim,
    decide,
    due_names,
    finish,
    is_busy,
    keep,
    moving,
    put,
    putting,
    refuse,
    remove,
    run_of,
    schedule_of,
)
from trioarm.core.changes import AppendJournal, Change, Claim, PutDocument, Verdict
from trioarm.core.queries import RunQuery
from trioarm.core.run import Origin
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository


class DecidingContract:
    """Inserting the row is the decision (S2.4), and a change is kept whole or not at all (S2.5)."""

    async def test_a_decision_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """Every field of a decided run comes back as it was decided."""
        record = await put(repository, lane="house")
        run = await decide(
            repository,
            record,
            due_at=NOW + MINUTE,
            origin=Origin.MANUAL,
            epoch=2,
            give_up_at=NOW + HOUR,
            args={"mode": "away"},
            retry_of=None,
        )
        assert (run.schedule.key, run.nominal_at, run.due_at, run.decided_at) == (record.key, NOW, NOW + MINUTE, NOW)
        assert (run.lane, run.origin, run.epoch, run.give_up_at) == ("house", Origin.MANUAL, 2, NOW + HOUR)
        assert (run.state, run.waiting_for, run.args) == (State.PENDING, WaitingFor.DUE, {"mode": "away"})
        assert (run.attempt, run.token, run.node, run.started_at, run.finished_at) == (0, 0, None, None, None)
        assert (run.cancel, run.error, run.result, run.reason) == (None, None, None, None)

    async def test_a_range_that_did_not_run_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """What did not run is data: its ends, its count and its reason (S2.1)."""
        row = await decide(
            repository,
            await put(repository),
            state=State.MISSED,
            reason=Reason.TOO_LATE,
            waiting_for=None,
            last_at=NOW + HOUR,
            count=61,
            finished_at=NOW + 2 * HOUR,
        )
        assert (row.state, row.reason, row.waiting_for) == (State.MISSED, Reason.TOO_LATE, None)
        assert (row.last_at, row.count, row.finished_at) == (NOW + HOUR, 61, NOW + 2 * HOUR)
        assert await repository.read_ready(["work"], 10) == []
        assert await repository.unfinished_runs() == []

    async def test_a_run_may_be_inserted_claimed(self, repository: ScheduleRepository) -> None:
        """An occurrence that can start now is claimed by its insertion (S6.2), and offered to nobody else."""
        fields = {"state": State.CLAIMED, "waiting_for": None, "attempt": 1, "token": 1, "node": "n1"}
        run = await decide(repository, await put(repository, lane="house"), **fields)
        assert (run.state, run.attempt, run.token, run.node) == (State.CLAIMED, 1, 1, "n1")
        assert await repository.read_ready(["work"], 10) == []
        assert await is_busy(repository, "house")
        await refuse(repository, steps=[Claim(run, 1, "n2", NOW)])

    async def test_numbers_grow_in_order_of_decision(self, repository: ScheduleRepository) -> None:
        """Within a change and from change to change, and a number leads to its run."""
        record = await put(repository)
        first, second, third = (a_run(record, NOW + step) for step in range(3))
        await keep(repository, decided=[first, second])
        await keep(repository, decided=[third])
        assert 0 < first.run_id < second.run_id < third.run_id
        assert [(await run_of(repository, run)).nominal_at for run in (third, first)] == [NOW + 2, NOW]
        assert await repository.get_run(third.run_id + 1) is None
        assert await repository.get_run(0) is None

    async def test_an_occurrence_is_decided_once(self, repository: ScheduleRepository) -> None:
        """A second decision of the same occurrence is refused, whatever it says, also after the first one ended."""
        record = await put(repository)
        first = await decide(repository, record)
        await refuse(repository, decided=[a_run(record, state=State.SKIPPED, finished_at=NOW)])
        await finish(repository, await claim(repository, first))
        await refuse(repository, decided=[a_run(record, due_at=NOW + HOUR)])
        page = await repository.find_runs(RunQuery())
        assert [(run.run_id, run.state) for run in page.rows] == [(first.run_id, State.SUCCEEDED)]

    async def test_an_occurrence_is_decided_once_even_within_a_change(self, repository: ScheduleRepository) -> None:
        """A change that decides the same occurrence twice contradicts itself and is refused."""
        record = await put(repository)
        await refuse(repository, decided=[a_run(record), a_run(record, due_at=NOW + 1)])
        assert (await repository.find_runs(RunQuery())).rows == []

    @pytest.mark.parametrize("other", [{"nominal_at": NOW + 1}, {"epoch": 1}, {"origin": Origin.BACKFILL}])
    async def test_another_identity_is_another_run(self, repository: ScheduleRepository, other: dict[str, Any]) -> None:
        """Instant, epoch and origin tell occurrences apart, and each is found by its own."""
        record = await put(repository)
        first = await decide(repository, record)
        second = await decide(repository, record, **other)
        assert first.run_id != second.run_id
        for run in (first, second):
            found = await repository.get_run_of("nightly", run.nominal_at, run.origin, run.epoch)
            assert found is not None
            assert found.run_id == run.run_id
        assert await repository.get_run_of("nightly", NOW + 2, Origin.SCHEDULE, 0) is None
        assert await repository.get_run_of("daily", NOW, Origin.SCHEDULE, 0) is None

    async def test_a_successor_may_decide_the_same_instant(self, repository: ScheduleRepository) -> None:
        """A schedule put anew under a removed one's name has occurrences of its own, and they are found by name."""
        old_record = await put(repository)
        old = await decide(repository, old_record)
        await remove(repository, old_record)
        record = await put(repository)
        found = await repository.get_run_of("nightly", NOW, Origin.SCHEDULE, 0)
        assert found is not None
        assert found.run_id == old.run_id
        new = await decide(repository, record)
        found = await repository.get_run_of("nightly", NOW, Origin.SCHEDULE, 0)
        assert found is not None
        assert found.run_id == new.run_id != old.run_id

    @pytest.mark.parametrize("wrong", ["decided", "moved", "steps", "schedules", "documents"])
    async def test_a_refused_change_leaves_nothing_behind(self, repository: ScheduleRepository, wrong: str) -> None:
        """One part that no longer fits takes all the others with it: decisions, moves, steps, documents and journal."""
        record = await put(repository)
        other = await put(repository, "other", next_due_at=None)
        taken, waiting = await decide(repository, other), await decide(repository, other, NOW + 1)
        stale_move = moving(other, NOW, None)
        stale_move.expected_revision = 9
        spoilers = {
            "decided": a_run(other),
            "moved": stale_move,
            "steps": Claim(taken, 9, "n1", NOW),
            "schedules": putting(other.schedule),
            "documents": PutDocument("panel", "house", 9, {"mode": "away"}),
        }
        parts = {
            "decided": [a_run(record)],
            "moved": [moving(record, NOW, NOW + MINUTE)],
            "steps": [Claim(waiting, 0, "n1", NOW)],
            "documents": [PutDocument("panel", "garden", 0, {"mode": "away"})],
            "journal": [AppendJournal("panel", {"n": 0}, NOW)],
        }
        await refuse(repository, **parts | {wrong: [*parts.get(wrong, []), spoilers[wrong]]})
        assert [run.run_id for run in (await repository.find_runs(RunQuery())).rows] == [taken.run_id, waiting.run_id]
        assert (await run_of(repository, waiting)).state is State.PENDING
        assert (await schedule_of(repository, "nightly")).cursor_at == NOW - 1
        assert await due_names(repository) == [["nightly"]]
        assert await repository.list_documents("panel") == []
        assert await repository.read_journal("panel") == []
        await keep(repository, **parts)
        assert (await run_of(repository, waiting)).state is State.CLAIMED
        assert (await schedule_of(repository, "nightly")).cursor_at == NOW
        assert len(await repository.list_documents("panel")) == len(await repository.read_journal("panel")) == 1
        assert await repository.get_run_of("nightly", NOW, Origin.SCHEDULE, 0) is not None

    async def test_a_refused_decision_stops_no_other(self, repository: ScheduleRepository) -> None:
        """In one commit the group that somebody else decided is refused, and those around it are done (S2.6)."""
        records = [await put(repository, name) for name in ("a", "b", "c")]
        await decide(repository, records[1])
        verdicts = await repository.commit(
            [Change(decided=[a_run(one)], moved=[moving(one, NOW, NOW + MINUTE)]) for one in records]
        )
        assert verdicts == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
        assert await due_names(repository) == [["b"]]

    async def test_unfinished_runs_are_those_with_steps_to_go(self, repository: ScheduleRepository) -> None:
        """All of them, or of one schedule, or held by one node, in order of decision."""
        first, second = await put(repository, "a"), await put(repository, "b")
        runs = [await decide(repository, one, NOW + step) for step in range(3) for one in (second, first)]
        await claim(repository, runs[4], "n2")
        await claim(repository, runs[1], "n2")
        await claim(repository, runs[2], "n1")
        await finish(repository, await run_of(repository, runs[0]), Step.CANCEL)

        async def found(**narrowed: Any) -> list[int]:
            unfinished = await repository.unfinished_runs(**narrowed)
            numbers = [run.run_id for run in runs]
            return [numbers.index(run.run_id) for run in unfinished]

        assert await found() == [1, 2, 3, 4, 5]
        assert await found(schedule=first) == [1, 3, 5]
        assert await found(node="n2") == [1, 4]
        assert await found(schedule=second, node="n2") == [4]
        assert await found(node="n3") == []
