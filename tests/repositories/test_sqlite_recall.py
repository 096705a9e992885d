"""What a process remembers of a file never stands in for what is in it (S5.4, S7.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs

from tests.making import MINUTE, NOW, a_run, a_schedule
from tests.repositories.contract.acts import decide, finish, keep, put, putting, ready_ids, revise, schedule_of
from tests.repositories.test_sqlite import open_sqlite
from trioarm.core.changes import Change, Claim, Finished, Verdict
from trioarm.core.diff import FirstPuts
from trioarm.core.instants import SECOND
from trioarm.core.planning import Group, PlanRules, plan
from trioarm.core.queries import RunQuery
from trioarm.core.record import ScheduleState
from trioarm.core.states import Step
from trioarm.core.triggers import Every, Once
from trioarm.links.threads import Thread
from trioarm.repositories.sqlite import SqliteScheduleRepository
from trioarm.repositories.sqlite.database import StoreUnavailable
from trioarm.repositories.sqlite.horizon import Loaded
from trioarm.repositories.sqlite.recall import RUNS_MAX, Recall
from trioarm.repositories.sqlite.rows import Records
from trioarm.repositories.sqlite.writing import Kept

T = TypeVar("T")


class _Silent(Thread):
    """A thread that can lose the answer of what it has done."""

    loses = False

    async def run(self, work: Callable[[], T], *, begun: threading.Event | None = None) -> T:
        """Carry a call out to its end, and say what it returned, or that it failed."""
        done = await super().run(work, begun=begun)
        if self.loses:
            raise StoreUnavailable("the answer was lost")
        return done


async def due_group(repository: SqliteScheduleRepository, now: int) -> Group:
    """Return the one group that is due."""
    [group] = (await repository.read_due(now, 10)).groups
    return group


async def test_what_is_added_is_decided_when_it_is_due_however_far_away_that_is(tmp_path: Path) -> None:
    """What comes due soon is remembered; what comes later is read then, as it is in the file by that time."""
    soon, late, paused = a_schedule("soon", Every(600)), a_schedule("late", Every(7200)), a_schedule("off", Every(7200))
    added = [soon, late, attrs.evolve(paused, enabled=False)]
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        assert await repository.commit([Change(schedules=[FirstPuts().of(added, NOW)])]) == [Verdict.DONE]
        assert repository.next_due_at == NOW + 600 * SECOND
        group = await due_group(repository, NOW + 600 * SECOND)
        assert await repository.commit([plan(group, NOW + 600 * SECOND, PlanRules())]) == [Verdict.DONE]
        later = NOW + 7200 * SECOND
        groups = (await repository.read_due(later, 10)).groups
        found = {record.schedule.name: record for group in groups for record in group.schedules}
        assert found.keys() == {"soon", "late"}
        assert (found["late"].cursor_at, found["late"].next_due_at, found["late"].revision) == (NOW, later, 1)
        assert [len(group.unfinished) for group in groups] == [1, 0]
        assert await repository.commit([plan(group, later, PlanRules()) for group in groups]) == [Verdict.DONE] * 2
        page = await repository.find_runs(RunQuery())
        assert sorted(run.schedule.schedule.name for run in page.rows if run.nominal_at == later) == ["late", "soon"]


async def test_what_nobody_knows_to_be_kept_is_read_again(tmp_path: Path) -> None:
    """A decision whose outcome is in doubt was kept after all: the next look shows its run and the moved cursor."""
    threads: list[_Silent] = []

    def thread() -> Thread:
        threads.append(_Silent())
        return threads[-1]

    repository = SqliteScheduleRepository(tmp_path / "trioarm.db", thread=thread)
    await repository.open()
    try:
        await put(repository, trigger=Every(60))
        change = plan(await due_group(repository, NOW), NOW, PlanRules())
        threads[0].loses = True
        assert await repository.commit([change]) == [Verdict.UNKNOWN]
        threads[0].loses = False
        group = await due_group(repository, NOW + MINUTE)
        [record], [run] = group.schedules, group.unfinished
        assert (record.cursor_at, run.nominal_at) == (NOW, NOW)
    finally:
        await repository.close()


async def test_a_run_that_was_asked_for_after_a_look_had_begun_is_found_by_the_next(tmp_path: Path) -> None:
    """By what was looked at it is not due yet, and no index wakes anybody for it: nobody may take it for waiting on."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        record = await put(repository, trigger=Every(3_600), next_due_at=NOW + 60 * MINUTE)
        await keep(repository, decided=[run := a_run(record, NOW + 5)])
        await repository.read_due(NOW, 10)
        assert await repository.read_ready(["work"], 10) == []
        await repository.read_due(NOW + 10, 10)
        assert repository.may_be_ready(["work"])
        assert [one.run_id for one in await repository.read_ready(["work"], 10)] == [run.run_id]


async def test_a_run_that_has_steps_to_go_is_seen_by_the_next_decision(tmp_path: Path) -> None:
    """Whether it was decided, claimed or asked for by hand a moment ago; one that has ended is not."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        record = await put(repository, trigger=Every(60))
        assert not (await due_group(repository, NOW)).unfinished
        await keep(repository, decided=[run := a_run(record)])
        assert [one.run_id for one in (await due_group(repository, NOW)).unfinished] == [run.run_id]
        await finish(repository, run, Step.CANCEL)
        assert not (await due_group(repository, NOW)).unfinished


def test_an_answer_that_came_too_late_is_not_remembered() -> None:
    """What was asked before a run was decided does not say that there is none."""
    recall = Recall(Records())
    recall.now = NOW
    recall.keep(Change(schedules=[putting(a_schedule())]), Kept(keys=[1]))
    [group] = recall.singles([1])
    age = recall.age
    recall.keep(Change(decided=[a_run(group.schedules[0])]), Kept(first_run_id=1))
    recall.learn_unfinished([1], [], age)
    assert recall.in_doubt([1]) == [1]
    recall.learn_unfinished([1], [], recall.age)
    assert recall.in_doubt([1]) == []


def test_a_schedule_that_was_forgotten_while_it_was_decided_is_asked_for_again() -> None:
    """Another process may have made a run of it meanwhile: that it has none is not known any more."""
    recall = Recall(Records())
    recall.now = NOW
    recall.keep(Change(schedules=[putting(a_schedule(trigger=Every(60)))]), Kept(keys=[1]))
    [group] = recall.singles([1])
    change = plan(group, NOW, PlanRules())
    recall.forget()
    recall.keep(change, Kept(first_run_id=1))
    recall.now = NOW + MINUTE
    assert recall.in_doubt([1]) == [1]
    recall.learn_unfinished([1], [], recall.age)
    assert recall.in_doubt([1]) == []


async def test_only_what_was_forgotten_is_asked_for(tmp_path: Path) -> None:
    """One schedule that is not remembered has no others asked for; all that is due comes in order."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        records = [await put(repository, name, trigger=Every(60)) for name in ("first", "second", "third")]
        [due, *_] = sorted(at for record in records if (at := record.next_due_at) is not None)
        recall = repository._recall
        recall.now = due
        keys = [record.key for record in records]
        del recall.schedules[keys[1]]
        assert recall.in_doubt(keys) == [keys[1]]
        groups = (await repository.read_due(due, 10)).groups
        assert [group.schedules[0].schedule.name for group in groups] == ["first", "second", "third"]
        assert recall.in_doubt(keys) == []


def test_a_run_that_waits_is_read_again_once_a_schedule_that_was_forgotten_is_revised() -> None:
    """It points to a copy that nobody revises any more, and would be called by what that said."""
    recall = Recall(Records())
    recall.keep(Change(schedules=[putting(a_schedule())]), Kept(keys=[1]))
    recall.keep(Change(decided=[a_run(recall.schedules[1])]), Kept(first_run_id=7))
    revised = Change(schedules=[putting(a_schedule(handler="other"), 1, 1)])
    recall.keep(revised, Kept(keys=[1]))
    known = recall.ready(7)
    assert known is not None
    assert known.schedule.schedule.handler == "other"
    del recall.schedules[1]
    recall.keep(Change(schedules=[putting(a_schedule(handler="third"), 2, 1)]), Kept(keys=[1]))
    assert recall.ready(7) is None


def test_a_schedule_that_is_finished_is_forgotten_with_the_end_of_its_last_run() -> None:
    """Of a million that run once none stays; until then it is there for whoever revises it."""
    recall = Recall(Records())
    recall.now = NOW
    recall.keep(Change(schedules=[putting(a_schedule(trigger=Once(NOW)))]), Kept(keys=[1]))
    [group] = recall.singles([1])
    change = plan(group, NOW, PlanRules())
    recall.keep(change, Kept(first_run_id=1))
    assert recall.schedules[1].state is ScheduleState.FINISHED
    [run] = change.decided
    recall.keep(Change(steps=[Claim(run, 0, "n1", NOW)]), Kept())
    assert 1 in recall.schedules
    recall.keep(Change(steps=[Finished(run, 1, Step.SUCCEED, NOW)]), Kept())
    assert recall.schedules == {}


def test_of_runs_that_wait_by_the_thousand_few_are_remembered() -> None:
    """The others are read when it is their turn: memory does not grow with what waits (S9.3)."""
    recall = Recall(Records())
    recall.keep(Change(schedules=[putting(a_schedule())]), Kept(keys=[1]))
    runs = [a_run(recall.schedules[1], NOW + number) for number in range(RUNS_MAX + 10)]
    recall.keep(Change(decided=runs), Kept(first_run_id=1))
    assert len(recall.runs) == RUNS_MAX


def test_what_waited_for_an_instant_beyond_the_horizon_may_be_ready_after_a_look() -> None:
    """Its entry was not in memory, so that nothing says when it has come due; the file is asked for what is ready."""
    recall = Recall(Records())
    recall.look_from(Loaded([], [], NOW, None))
    recall.none_ready(["work"])
    assert not recall.may_be_ready(["work"])
    recall.look_from(Loaded([], [], NOW, None))
    assert recall.may_be_ready(["work"])


async def test_what_came_due_before_the_look_that_another_process_made_needed_may_be_ready(tmp_path: Path) -> None:
    """Another process decides a run that is due in a minute; this one asks twice before its minute is over, in vain."""
    path = tmp_path / "trioarm.db"
    async with open_sqlite(path) as repository, open_sqlite(path) as other:
        await repository.read_due(NOW, 10)
        run = await decide(other, await put(other), due_at=NOW + MINUTE)
        for _ in range(2):
            assert await ready_ids(repository) == []
        await repository.read_due(NOW + 2 * MINUTE, 10)
        assert repository.may_be_ready(["work"])
        assert await ready_ids(repository) == [run.run_id]


async def test_a_revision_after_a_restart_keeps_how_many_runs_there_were(tmp_path: Path) -> None:
    """A schedule with one run of two to go has one to go, whoever changes what it says."""
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        await put(repository, trigger=Every(60), max_runs=2)
        assert await repository.commit([plan(await due_group(repository, NOW), NOW, PlanRules())]) == [Verdict.DONE]
    async with open_sqlite(tmp_path / "trioarm.db") as repository:
        await revise(repository, await schedule_of(repository, "nightly"), max_runs=2)
        [record] = (await due_group(repository, NOW + MINUTE)).schedules
        assert record.runs == 1
        [move] = plan(Group([record]), NOW + MINUTE, PlanRules()).moved
        assert (move.runs, move.state) == (2, ScheduleState.FINISHED)
