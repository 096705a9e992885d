"""Claims and what follows them: tokens, starts, ends, retries, requests to stop."""

from __future__ import annotations

import pytest

from tests.making import HOUR, MINUTE, NOW, SECOND
from tests.repositories.contract.acts import claim, decide, finish, keep, put, ready_ids, refuse, requeue, run_of
from trioarm.core.changes import CancelAsked, Change, Claim, Finished, Progressed, Requeued, Started, Verdict
from trioarm.core.states import Reason, State, Step, WaitingFor
from trioarm.engine.ports import ScheduleRepository


class ClaimingContract:
    """At any time at most one attempt of a run holds a valid token; what comes with another is refused (S2.3)."""

    async def test_a_claim_takes_the_run(self, repository: ScheduleRepository) -> None:
        """Token and attempt grow by one, the node is noted, and the run waits no more."""
        pending = await decide(repository, await put(repository), give_up_at=NOW + HOUR)
        run = await claim(repository, pending, "n1")
        assert (run.state, run.token, run.attempt, run.node) == (State.CLAIMED, 1, 1, "n1")
        assert (run.waiting_for, run.give_up_at) == (None, None)
        assert await ready_ids(repository) == []

    async def test_the_second_claim_is_refused(self, repository: ScheduleRepository) -> None:
        """Of two nodes that saw the same run, one gets it, in one commit or in two."""
        record = await put(repository)
        run = await decide(repository, record)
        verdicts = await repository.commit([Change(steps=[Claim(run, 0, node, NOW)]) for node in ("n1", "n2")])
        assert verdicts == [Verdict.DONE, Verdict.REFUSED]
        await refuse(repository, steps=[Claim(run, 0, "n3", NOW)])
        await refuse(repository, steps=[Claim(run, 1, "n3", NOW)])
        assert (await run_of(repository, run)).node == "n1"

    async def test_bulk_claims_stand_alone(self, repository: ScheduleRepository) -> None:
        """A claim that is refused in the middle of a commit leaves the others done."""
        record = await put(repository)
        runs = [await decide(repository, record, NOW + step) for step in range(3)]
        verdicts = await repository.commit(
            [Change(steps=[Claim(run, token, "n1", NOW)]) for run, token in zip(runs, (0, 5, 0), strict=True)]
        )
        assert verdicts == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
        assert [(await run_of(repository, run)).state.value for run in runs] == ["claimed", "pending", "claimed"]

    async def test_a_start_is_noted(self, repository: ScheduleRepository) -> None:
        """A claimed run whose handler was called is running; it starts once per claim."""
        pending = await decide(repository, await put(repository))
        await refuse(repository, steps=[Started(pending, 0, NOW)])
        run = await claim(repository, pending)
        await refuse(repository, steps=[Started(run, 0, NOW)])
        await keep(repository, steps=[Started(run, 1, NOW + SECOND)])
        run = await run_of(repository, run)
        assert (run.state, run.started_at, run.token) == (State.RUNNING, NOW + SECOND, 1)
        await refuse(repository, steps=[Started(run, 1, NOW + MINUTE)])

    async def test_an_end_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """State, reason, error, result and both instants of the last attempt are kept, and its start with them."""
        run = await claim(repository, await decide(repository, await put(repository)))
        ended = await finish(
            repository,
            run,
            Step.FAIL,
            NOW + 9,
            reason=Reason.ERROR,
            error="boom",
            result={"n": [1]},
            started_at=NOW + 3,
        )
        assert (ended.state, ended.reason, ended.error) == (State.FAILED, Reason.ERROR, "boom")
        assert (ended.result, ended.started_at, ended.finished_at) == ({"n": [1]}, NOW + 3, NOW + 9)
        assert ended.waiting_for is None
        assert await repository.unfinished_runs() == []

    async def test_an_end_without_a_start_keeps_the_noted_one(self, repository: ScheduleRepository) -> None:
        """A start that was noted is not forgotten by an end that does not name it."""
        run = await claim(repository, await decide(repository, await put(repository)))
        await keep(repository, steps=[Started(run, 1, NOW + 3)])
        ended = await finish(repository, await run_of(repository, run), at=NOW + 9)
        assert (ended.state, ended.started_at) == (State.SUCCEEDED, NOW + 3)

    async def test_one_result_is_accepted(self, repository: ScheduleRepository) -> None:
        """A second end is refused with the same token, and the first stays."""
        run = await claim(repository, await decide(repository, await put(repository)))
        await finish(repository, run)
        await refuse(repository, steps=[Finished(run, 1, Step.FAIL, NOW + 1)])
        assert (await run_of(repository, run)).state is State.SUCCEEDED

    async def test_a_stale_token_is_refused(self, repository: ScheduleRepository) -> None:
        """After a run was requeued and claimed anew, nothing of its former holder is kept."""
        run = await claim(repository, await decide(repository, await put(repository)))
        again = await claim(repository, await requeue(repository, run, attempt=1), "n2")
        assert (again.token, again.attempt, again.node) == (2, 2, "n2")
        for step in (
            Started(again, 1, NOW),
            Finished(again, 1, Step.SUCCEED, NOW),
            Requeued(again, 1, Step.RETRY, NOW, 1, NOW, WaitingFor.RETRY),
            CancelAsked(again, 1, Reason.USER, NOW),
            Progressed(again, 1, "too late", NOW),
        ):
            await refuse(repository, steps=[step])
        kept = await run_of(repository, run)
        assert (kept.state, kept.token, kept.cancel, kept.started_at) == (State.CLAIMED, 2, None, None)
        assert kept.progress is None
        assert (await finish(repository, kept)).state is State.SUCCEEDED

    @pytest.mark.parametrize(
        ("step", "attempt", "waiting_for"),
        [
            (Step.RETRY, 1, WaitingFor.RETRY),
            (Step.SNOOZE, 0, WaitingFor.SNOOZE),
            (Step.GIVE_BACK, 0, WaitingFor.HANDLER),
        ],
    )
    async def test_a_held_run_may_wait_again(
        self, repository: ScheduleRepository, step: Step, attempt: int, waiting_for: WaitingFor
    ) -> None:
        """It is pending with the attempts that count, its token stays, and it is ready once it is due."""
        run = await claim(repository, await decide(repository, await put(repository, next_due_at=None)))
        later = Requeued(
            run, 1, step, NOW + 1, attempt, NOW + MINUTE, waiting_for, Reason.SHUTDOWN, "boom", NOW, NOW + HOUR
        )
        await keep(repository, steps=[later])
        run = await run_of(repository, run)
        assert (run.state, run.attempt, run.token, run.due_at) == (State.PENDING, attempt, 1, NOW + MINUTE)
        assert (run.waiting_for, run.reason, run.error) == (waiting_for, Reason.SHUTDOWN, "boom")
        assert (run.started_at, run.give_up_at, run.finished_at) == (NOW, NOW + HOUR, None)
        assert await ready_ids(repository) == []
        await repository.read_due(NOW + MINUTE, 10)
        assert await ready_ids(repository) == [run.run_id]
        again = await claim(repository, await run_of(repository, run), "n2", NOW + MINUTE)
        assert (again.token, again.attempt) == (2, attempt + 1)

    async def test_what_is_given_back_now_is_ready_now(self, repository: ScheduleRepository) -> None:
        """A run that may start at once needs no look at the clock."""
        run = await claim(repository, await decide(repository, await put(repository)))
        await requeue(repository, run, Step.GIVE_BACK, attempt=0, due_at=NOW, at=NOW)
        assert await ready_ids(repository) == [run.run_id]

    async def test_progress_is_kept_while_a_run_is_held(self, repository: ScheduleRepository) -> None:
        """The latest, alone or with the end of an attempt; what waits or has ended says nothing more (S2.3)."""
        pending = await decide(repository, await put(repository))
        await refuse(repository, steps=[Progressed(pending, 0, 1, NOW)])
        run = await claim(repository, pending)
        for value in ({"row": 1, "text": "žluťoučký"}, False, None, [2]):
            await keep(repository, steps=[Progressed(run, 1, value, NOW)])
            run = await run_of(repository, run)
            assert run.progress == value
        await keep(repository, steps=[Started(run, 1, NOW)])
        run = await run_of(repository, run)
        later = Requeued(run, 1, Step.RETRY, NOW, 1, NOW, WaitingFor.RETRY)
        await keep(repository, steps=[Progressed(run, 1, [3], NOW), later])
        run = await run_of(repository, run)
        assert (run.state, run.progress) == (State.PENDING, [3])
        await refuse(repository, steps=[Progressed(run, 1, [4], NOW)])
        run = await claim(repository, run)
        assert (run.token, run.progress) == (2, [3])
        run = await finish(repository, run)
        await refuse(repository, steps=[Progressed(run, 2, [5], NOW)])
        assert (await run_of(repository, run)).progress == [3]

    async def test_a_request_to_stop_is_noted(self, repository: ScheduleRepository) -> None:
        """A held run keeps why it was asked to stop until it ends, and no other attempt follows the request."""
        pending = await decide(repository, await put(repository))
        await refuse(repository, steps=[CancelAsked(pending, 0, Reason.USER, NOW)])
        run = await claim(repository, pending)
        await keep(repository, steps=[CancelAsked(run, 1, Reason.SUPERSEDED, NOW)])
        run = await run_of(repository, run)
        assert (run.state, run.cancel) == (State.CLAIMED, Reason.SUPERSEDED)
        await refuse(repository, steps=[Requeued(run, 1, Step.RETRY, NOW, 1, NOW, WaitingFor.RETRY)])
        ended = await finish(repository, run, Step.CANCEL, reason=Reason.SUPERSEDED)
        assert (ended.state, ended.cancel) == (State.CANCELLED, Reason.SUPERSEDED)

    async def test_a_pending_run_may_end(self, repository: ScheduleRepository) -> None:
        """Cancelled, missed or superseded before its claim, a run is final and can be claimed no more."""
        record = await put(repository)
        ends = {Step.CANCEL: State.CANCELLED, Step.MISS: State.MISSED, Step.SUPERSEDE: State.SUPERSEDED}
        for place, (step, state) in enumerate(ends.items()):
            run = await decide(repository, record, NOW + place, give_up_at=NOW + HOUR)
            ended = await finish(repository, run, step, NOW + 9, reason=Reason.USER)
            assert (ended.state, ended.finished_at, ended.waiting_for) == (state, NOW + 9, None)
            await refuse(repository, steps=[Claim(run, 0, "n1", NOW)])
        assert await ready_ids(repository) == []
        assert (await repository.read_due(NOW + HOUR, 10)).expired == []

    @pytest.mark.parametrize("step", [Step.SUCCEED, Step.RETRY, Step.LOSE, Step.TIME_OUT, Step.OVERRIDE])
    async def test_a_step_the_table_does_not_allow_is_refused(self, repository: ScheduleRepository, step: Step) -> None:
        """A run that is pending cannot take the steps of one that is held (S6.2)."""
        run = await decide(repository, await put(repository))
        await refuse(repository, steps=[Finished(run, 0, step, NOW)])
        assert (await run_of(repository, run)).state is State.PENDING

    async def test_a_held_run_cannot_have_never_run(self, repository: ScheduleRepository) -> None:
        """What was claimed is not missed, skipped or superseded any more."""
        run = await claim(repository, await decide(repository, await put(repository)))
        for step in (Step.MISS, Step.SKIP, Step.SUPERSEDE, Step.CLAIM):
            await refuse(repository, steps=[Finished(run, 1, step, NOW)])
        assert (await run_of(repository, run)).state is State.CLAIMED
