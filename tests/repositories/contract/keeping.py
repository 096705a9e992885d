"""Statistics and retention."""

from __future__ import annotations

import attrs

from tests.making import HOUR, MINUTE, NOW
from tests.repositories.contract.acts import claim, decide, finish, keep, moving, put, remove
from trioarm.core.chain import broken_links
from trioarm.core.changes import AppendJournal
from trioarm.core.queries import Kept, Retention, RunQuery
from trioarm.core.record import ScheduleRecord, ScheduleState
from trioarm.core.run import RunRecord
from trioarm.core.states import FINAL, TABLE, Reason, State, Step
from trioarm.engine.ports import ScheduleRepository

_NEVER = NOW - 1000 * HOUR
_MANY = 10**9
_FAILED = frozenset({State.FAILED})


def _retention(
    runs_before: int = _NEVER, runs_max: int = _MANY, schedules_before: int = _NEVER, limit: int = 100
) -> Retention:
    return Retention(runs_before=runs_before, runs_max=runs_max, schedules_before=schedules_before, limit=limit)


async def _ended(
    repository: ScheduleRepository, record: ScheduleRecord, place: int, step: Step = Step.SUCCEED
) -> RunRecord:
    run = await decide(repository, record, NOW + place)
    if step not in TABLE[State.PENDING]:
        run = await claim(repository, run)
    return await finish(repository, run, step, at=NOW + place)


async def _kept(repository: ScheduleRepository) -> list[int]:
    return [run.run_id for run in (await repository.find_runs(RunQuery())).rows]


class KeepingContract:
    """Counts tell what is kept; retention forgets what is old, in bounded steps, and nothing that goes on."""

    async def test_statistics_of_nothing_are_zero(self, repository: ScheduleRepository) -> None:
        """An empty repository counts nothing and waits for nothing."""
        statistics = await repository.statistics()
        assert sum(statistics.schedules.values()) == sum(statistics.runs.values()) == 0
        assert sum(statistics.occurrences.values()) == 0
        assert statistics.oldest_pending_at is None

    async def test_statistics_count_rows_and_what_they_stand_for(self, repository: ScheduleRepository) -> None:
        """A range row is one row and many occurrences; removed schedules no longer count."""
        record = await put(repository)
        await put(repository, "idle", state=ScheduleState.PAUSED)
        await put(repository, "paused", state=ScheduleState.PAUSED)
        await remove(repository, await put(repository, "gone"))
        missed = {"state": State.MISSED, "reason": Reason.COALESCED, "waiting_for": None, "finished_at": NOW}
        await decide(repository, record, NOW - HOUR, last_at=NOW - MINUTE, count=60, **missed)
        await decide(repository, record, NOW - 2 * HOUR, **missed)
        await _ended(repository, record, 1)
        await decide(repository, record, NOW + 3)
        await decide(repository, record, NOW + 2)
        await claim(repository, await decide(repository, record, NOW - 5))
        statistics = await repository.statistics()
        schedules = {state: count for state, count in statistics.schedules.items() if count}
        assert schedules == {ScheduleState.ACTIVE: 1, ScheduleState.PAUSED: 2}
        runs = {state: count for state, count in statistics.runs.items() if count}
        assert runs == {State.MISSED: 2, State.SUCCEEDED: 1, State.PENDING: 2, State.CLAIMED: 1}
        occurrences = {state: count for state, count in statistics.occurrences.items() if count}
        assert occurrences == {State.MISSED: 61, State.SUCCEEDED: 1, State.PENDING: 2, State.CLAIMED: 1}
        assert statistics.oldest_pending_at == NOW + 2

    async def test_old_runs_are_forgotten(self, repository: ScheduleRepository) -> None:
        """By age: what ended before the instant goes, what ended at it stays; a range row goes as one."""
        record = await put(repository)
        skipped = {"state": State.SKIPPED, "waiting_for": None, "finished_at": NOW, "last_at": NOW - MINUTE, "count": 9}
        await decide(repository, record, NOW - HOUR, **skipped)
        runs = [await _ended(repository, record, place) for place in range(4)]
        assert await repository.prune(_retention(runs_before=NOW + 2)) == 3
        assert await _kept(repository) == [runs[2].run_id, runs[3].run_id]
        assert await repository.prune(_retention(runs_before=NOW + 2)) == 0
        assert await repository.get_run(runs[0].run_id) is None
        assert await repository.get_run_of("nightly", NOW, runs[0].origin, 0) is None

    async def test_excess_runs_are_forgotten(self, repository: ScheduleRepository) -> None:
        """By count: the newest of each schedule stay, and one schedule's runs push out no other's."""
        first, second = await put(repository, "a"), await put(repository, "b")
        firsts = [await _ended(repository, first, place) for place in range(4)]
        seconds = [await _ended(repository, second, place) for place in range(2)]
        assert await repository.prune(_retention(runs_max=2)) == 2
        assert await _kept(repository) == [run.run_id for run in (*firsts[2:], *seconds)]
        assert await repository.prune(_retention(runs_max=0)) == 4
        assert await _kept(repository) == []

    async def test_what_is_too_old_pushes_out_nothing(self, repository: ScheduleRepository) -> None:
        """What was decided later and ended earlier goes by its age, and is not one of those that are kept."""
        record = await put(repository)
        lasting = await claim(repository, await decide(repository, record, NOW))
        for place in range(1, 4):
            await _ended(repository, record, place)
        await finish(repository, lasting, Step.SUCCEED, at=NOW + 9)
        retention = _retention(runs_before=NOW + 5, runs_max=1)
        while await repository.prune(retention):
            pass
        assert await _kept(repository) == [lasting.run_id]

    async def test_what_was_decided_before_a_clock_was_set_back_keeps_nothing_else(
        self, repository: ScheduleRepository
    ) -> None:
        """By age: what is old by the clock goes, whatever was decided before it at a later instant."""
        record = await put(repository)
        before = await decide(repository, record, NOW, decided_at=NOW + HOUR)
        after = await _ended(repository, record, 1)
        assert await repository.prune(_retention(runs_before=NOW + 2)) == 1
        assert await _kept(repository) == [before.run_id]
        assert await repository.get_run(after.run_id) is None

    async def test_states_are_kept_apart(self, repository: ScheduleRepository) -> None:
        """What failed is kept longer than what went well, and is pushed out by no number of it; what was missed, less
        long; all others share an age and a count."""
        record, other = await put(repository), await put(repository, "other")
        ends = [Step.FAIL, Step.SUCCEED, Step.MISS, Step.CANCEL] * 2
        runs = [await _ended(repository, record, place, step) for place, step in enumerate(ends)]
        await _ended(repository, other, 50, Step.FAIL)
        apart = (Kept(_FAILED, NOW + 1, _MANY), Kept(frozenset({State.MISSED}), NOW + 7, _MANY))
        assert await repository.prune(attrs.evolve(_retention(runs_before=NOW + 4), apart=apart)) == 5
        assert await _kept(repository) == [*(runs[place].run_id for place in (4, 5, 7)), runs[7].run_id + 1]

    async def test_states_are_counted_apart(self, repository: ScheduleRepository) -> None:
        """So many of what failed and so many of all others are kept of each schedule, whatever the other count is."""
        record, other = await put(repository), await put(repository, "other")
        ends = [Step.FAIL, Step.SUCCEED, Step.FAIL, Step.CANCEL, Step.SUCCEED, Step.FAIL, Step.SUCCEED]
        runs = [await _ended(repository, record, place, step) for place, step in enumerate(ends)]
        others = [await _ended(repository, other, 10 + place, Step.FAIL) for place in range(2)]
        going_on = await claim(repository, await decide(repository, record, NOW + 20))

        async def kept_with(most: int, *apart: Kept) -> list[int]:
            while await repository.prune(attrs.evolve(_retention(runs_max=most, limit=1), apart=apart)):
                pass
            return [run_id - runs[0].run_id for run_id in await _kept(repository)]

        rest = [*(run.run_id - runs[0].run_id for run in (*others, going_on))]
        assert await kept_with(3, Kept(_FAILED, _NEVER, 2)) == [2, 3, 4, 5, 6, *rest]
        assert await kept_with(_MANY, Kept(frozenset({State.SUCCEEDED}), _NEVER, 1)) == [2, 3, 5, 6, *rest]
        assert await kept_with(2, Kept(frozenset({State.SUCCEEDED}), _NEVER, 1)) == [3, 5, 6, *rest]
        assert await kept_with(0, Kept(_FAILED, _NEVER, 1)) == [5, *rest[1:]]
        assert await kept_with(_MANY, Kept(FINAL, _NEVER, 0)) == rest[2:]

    async def test_runs_stay_that_tell_whether_a_schedule_keeps_failing(self, repository: ScheduleRepository) -> None:
        """However old, and however many: twice as many of the newest that ended as failures pause it, until it is
        removed. What never ran tells nothing, nor do runs of a schedule that is never paused for them."""
        record, other = await put(repository, "a", pause_after_failures=2), await put(repository, "b")
        ends = [Step.SUCCEED, Step.FAIL, Step.MISS, Step.SUCCEED, Step.FAIL, Step.CANCEL, Step.TIME_OUT]
        runs = [await _ended(repository, record, place, step) for place, step in enumerate(ends)]
        await _ended(repository, other, 50, Step.FAIL)
        telling = [runs[place].run_id for place in (1, 3, 4, 6)]
        for retention in (_retention(runs_before=NOW + HOUR, limit=2), _retention(runs_max=0, limit=2)):
            while await repository.prune(retention):
                pass
            assert await _kept(repository) == telling
        await remove(repository, record)
        while await repository.prune(_retention(runs_before=NOW + HOUR)):
            pass
        assert await _kept(repository) == []

    async def test_unfinished_runs_are_never_forgotten(self, repository: ScheduleRepository) -> None:
        """However old: what has steps to go stays, and does not count towards the maximum."""
        record = await put(repository)
        pending = await decide(repository, record, NOW - HOUR)
        held = await claim(repository, await decide(repository, record, NOW - MINUTE))
        ended = await _ended(repository, record, 0)
        assert await repository.prune(_retention(runs_max=1)) == 0
        assert await repository.prune(_retention(runs_before=NOW + HOUR, runs_max=0)) == 1
        assert await _kept(repository) == [pending.run_id, held.run_id]
        assert ended.run_id not in await _kept(repository)

    async def test_forgetting_is_done_in_bounded_steps(self, repository: ScheduleRepository) -> None:
        """Each call forgets at most its limit, the oldest first, until nothing is left to forget."""
        record = await put(repository)
        runs = [await _ended(repository, record, place) for place in range(5)]
        left = [run.run_id for run in runs]
        for expected in (2, 2, 1, 0):
            assert await repository.prune(_retention(runs_before=NOW + HOUR, limit=2)) == expected
            left = left[expected:]
            assert await _kept(repository) == left

    async def test_finished_schedules_are_forgotten(self, repository: ScheduleRepository) -> None:
        """A finished schedule goes when its last decision is old enough; active, paused and younger ones stay."""
        for name in ("old", "young", "active", "paused"):
            record = await put(repository, name)
            cursor_at = NOW + HOUR if name == "young" else NOW
            state = {"active": ScheduleState.ACTIVE, "paused": ScheduleState.PAUSED}.get(name, ScheduleState.FINISHED)
            await keep(repository, moved=[moving(record, cursor_at, None, state=state)])
        assert await repository.prune(_retention(schedules_before=NOW)) == 0
        assert await repository.prune(_retention(schedules_before=NOW + 1)) == 1
        found = await repository.get_schedules(["old", "young", "active", "paused"])
        assert [record is None for record in found] == [True, False, False, False]
        assert await repository.prune(_retention(schedules_before=NOW + 1)) == 0

    async def test_finished_schedules_stay_that_are_declared_again(self, repository: ScheduleRepository) -> None:
        """What a file or a configuration declares is kept however old it is: a start would take it for new."""
        owners = {"a": "file:scheduler.toml", "b": "config", "c": "app", "d": None}
        for name, owner in owners.items():
            record = await put(repository, name, owner=owner)
            await keep(repository, moved=[moving(record, NOW, None, state=ScheduleState.FINISHED)])
        assert await repository.prune(_retention(schedules_before=NOW + 1)) == 2
        found = await repository.get_schedules([*owners])
        assert [record is None for record in found] == [False, False, True, True]

    async def test_a_schedule_at_work_is_not_forgotten(self, repository: ScheduleRepository) -> None:
        """A finished schedule stays while one of its runs has steps to go."""
        record = await put(repository)
        run = await claim(repository, await decide(repository, record))
        await keep(repository, moved=[moving(record, NOW, None, state=ScheduleState.FINISHED)])
        assert await repository.prune(_retention(schedules_before=NOW + 1)) == 0
        await finish(repository, run, Step.SUCCEED)
        assert await repository.prune(_retention(schedules_before=NOW + 1)) == 1
        assert await repository.get_schedule("nightly") is None
        assert await _kept(repository) == [run.run_id]

    async def test_schedules_and_runs_share_one_limit(self, repository: ScheduleRepository) -> None:
        """Rows of both kinds count towards the limit of a call."""
        record = await put(repository)
        for place in range(2):
            await _ended(repository, record, place)
        await keep(repository, moved=[moving(record, NOW, None, state=ScheduleState.FINISHED)])
        everything = _retention(runs_before=NOW + HOUR, schedules_before=NOW + HOUR, limit=2)
        assert [await repository.prune(everything) for _ in range(3)] == [2, 1, 0]
        assert await repository.get_schedule("nightly") is None

    async def test_a_journal_forgets_only_when_it_is_named(self, repository: ScheduleRepository) -> None:
        """From its beginning on, as far as it is old; another one, such as an audit, is kept for ever."""
        for namespace in ("operations", "audit"):
            await keep(repository, journal=[AppendJournal(namespace, {"n": n}, NOW + n) for n in range(1, 6)])
        assert await repository.prune(_retention(runs_before=NOW + HOUR)) == 0
        assert await repository.prune(attrs.evolve(_retention(runs_before=NOW + 3), journal="operations")) == 2
        assert [entry.seq for entry in await repository.read_journal("operations")] == [3, 4, 5]
        assert [entry.seq for entry in await repository.read_journal("operations", after=3, limit=1)] == [4]
        assert [entry.seq for entry in await repository.read_journal("operations", after=9)] == []
        assert len(await repository.read_journal("audit")) == 5
        assert await repository.prune(attrs.evolve(_retention(), journal="nothing")) == 0

    async def test_the_numbers_of_a_journal_go_on(self, repository: ScheduleRepository) -> None:
        """However much it forgets: its last entry stays, and no number is given twice."""
        await keep(repository, journal=[AppendJournal("operations", {"n": n}, NOW) for n in range(1, 6)])
        old = attrs.evolve(_retention(runs_before=NOW + HOUR, limit=3), journal="operations")
        assert [await repository.prune(old) for _ in range(3)] == [3, 1, 0]
        await keep(repository, journal=[AppendJournal("operations", {}, NOW)])
        kept = await repository.read_journal("operations")
        assert [entry.seq for entry in kept] == [5, 6]
        assert list(broken_links(kept, whole=False)) == []

    async def test_a_journal_holds_so_many_entries(self, repository: ScheduleRepository) -> None:
        """The oldest beyond go, young as they are; what a clock that was set back made old in the middle stays."""
        ats = [NOW, NOW + 5, NOW - HOUR, NOW + 6]
        await keep(repository, journal=[AppendJournal("operations", {}, at) for at in ats])
        assert await repository.prune(attrs.evolve(_retention(runs_before=NOW + 1), journal="operations")) == 1
        few = attrs.evolve(_retention(), journal="operations", journal_max=2)
        assert [await repository.prune(few) for _ in range(2)] == [1, 0]
        assert [entry.seq for entry in await repository.read_journal("operations")] == [3, 4]
