"""Schedules: put, revised, removed, one by one and in bulk."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs

from tests.making import HOUR, MINUTE, NOW, a_schedule
from tests.repositories.contract.acts import decide, keep, moving, put, putting, refuse, remove, revise, schedule_of
from trioarm.core.changes import Change, PutDocument, PutSchedule, RemoveSchedule, Verdict
from trioarm.core.diff import FirstPuts, first_records
from trioarm.core.queries import ScheduleQuery
from trioarm.core.record import Pause, ScheduleRecord, ScheduleState
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.schedule import Misfire, Overlap, Schedule
from trioarm.core.triggers import After, Cron, Every, Once, Trigger
from trioarm.engine.ports import ScheduleRepository


class SchedulesContract:
    """Schedules are kept whole, under names that are unique and keys that are never used again."""

    async def test_a_schedule_is_kept_whole(self, repository: ScheduleRepository) -> None:
        """Every field of a definition comes back as it was put."""
        schedule = a_schedule(
            "arm-night",
            Cron("0 22 * * *", "Europe/Prague"),
            handler="arming",
            args={"panel": "house", "modes": [1, None, 2.5, {"deep": True}]},
            tolerance_s=300.0,
            misfire=Misfire.EACH,
            misfire_window_s=900.5,
            overlap=Overlap.ALLOW,
            lane="house",
            supersede=True,
            timeout_s=60.0,
            retry=RetryPolicy(max_retries=7, base_s=0.5),
            priority=9,
            start_at=NOW - HOUR,
            end_at=NOW + HOUR,
            max_runs=12,
            tags=("alarm", "night"),
            owner="file:scheduler.toml",
        )
        await keep(repository, schedules=[putting(schedule, next_due_at=NOW + 5)])
        record = await schedule_of(repository, "arm-night")
        assert record.schedule == schedule
        assert (record.revision, record.cursor_at, record.next_due_at) == (1, NOW - 1, NOW + 5)
        assert (record.anchor_at, record.runs, record.state) == (NOW - 1, 0, ScheduleState.ACTIVE)
        assert (record.pause, record.removed) == (None, False)
        assert record.key > 0

    async def test_an_unknown_name_is_not_found(self, repository: ScheduleRepository) -> None:
        """A name nobody put answers None, alone and among others."""
        await put(repository, "b")
        assert await repository.get_schedule("a") is None
        found = await repository.get_schedules(["a", "b", "c", "b"])
        assert [record and record.schedule.name for record in found] == [None, "b", None, "b"]
        assert await repository.get_schedules([]) == []

    async def test_a_name_can_be_put_once(self, repository: ScheduleRepository) -> None:
        """A schedule that must not exist yet is refused when it does, and what is kept stays."""
        await put(repository, handler="first")
        await refuse(repository, schedules=[putting(a_schedule(handler="second"))])
        assert (await schedule_of(repository, "nightly")).schedule.handler == "first"

    async def test_a_revision_replaces_the_one_before(self, repository: ScheduleRepository) -> None:
        """An update changes definition, due instant, state and pause, and keeps key and count of runs (S5.6)."""
        first = await put(repository)
        await keep(repository, moved=[moving(first, NOW, NOW + MINUTE, runs=3)])
        schedule = a_schedule(trigger=Every(3600))
        pause = Pause("somebody", "holiday", NOW)
        later = {"next_due_at": NOW + HOUR, "cursor_at": NOW + 7}
        step = putting(schedule, 1, first.key, state=ScheduleState.PAUSED, pause=pause, **later)
        await keep(repository, schedules=[step])
        second = await schedule_of(repository, "nightly")
        assert (second.key, second.revision, second.runs) == (first.key, 2, 3)
        assert (second.schedule, second.next_due_at, second.cursor_at) == (schedule, NOW + HOUR, NOW + 7)
        assert (second.state, second.pause, second.anchor_at) == (ScheduleState.PAUSED, pause, NOW + 7)

    async def test_a_revision_made_before_a_decision_is_refused(self, repository: ScheduleRepository) -> None:
        """It would set the cursor back, and what is decided be decided again, and refused, for ever (S2.1)."""
        record = await put(repository)
        await keep(repository, moved=[moving(record, NOW, NOW + MINUTE)])
        after = {"next_due_at": NOW, "cursor_at": NOW - 1}
        for was in ((NOW - 1, NOW), (NOW - 1, NOW + MINUTE), (NOW, NOW), (NOW, None)):
            await refuse(repository, schedules=[putting(a_schedule(), 1, record.key, was=was, **after)])
        kept = await schedule_of(repository, "nightly")
        assert (kept.revision, kept.cursor_at, kept.next_due_at) == (1, NOW, NOW + MINUTE)
        await keep(repository, schedules=[putting(a_schedule(), 1, record.key, was=(NOW, NOW + MINUTE))])

    async def test_a_stale_revision_is_refused(self, repository: ScheduleRepository) -> None:
        """Who read before somebody else wrote can neither put nor remove; revisions from the future are refused too."""
        record = await put(repository)
        key = record.key
        await revise(repository, record, handler="second")
        await refuse(repository, schedules=[putting(a_schedule(handler="third"), 1, key)])
        await refuse(repository, schedules=[putting(a_schedule(handler="third"), 3, key)])
        await refuse(repository, schedules=[RemoveSchedule(await schedule_of(repository, "nightly"), 1)])
        kept = await schedule_of(repository, "nightly")
        assert (kept.key, kept.revision, kept.schedule.handler) == (key, 2, "second")

    async def test_an_update_of_what_is_not_there_is_refused(self, repository: ScheduleRepository) -> None:
        """A revision of an unknown schedule is not a first put."""
        await refuse(repository, schedules=[putting(a_schedule(), 1, 1)])
        await refuse(repository, schedules=[putting(a_schedule(), 1)])
        await refuse(repository, schedules=[putting(a_schedule(), 0, 1)])
        assert await repository.get_schedule("nightly") is None

    async def test_a_removed_schedule_is_gone(self, repository: ScheduleRepository) -> None:
        """It is found no more and never due again, and removing it twice is refused."""
        record = await put(repository)
        await remove(repository, record)
        assert await repository.get_schedule("nightly") is None
        assert await repository.get_schedules(["nightly"]) == [None]
        assert repository.next_due_at is None
        assert (await repository.read_due(NOW + HOUR, 10)).groups == []
        await refuse(repository, schedules=[RemoveSchedule(record, 1)])
        await refuse(repository, schedules=[RemoveSchedule(record, 0)])

    async def test_a_key_is_never_used_again(self, repository: ScheduleRepository) -> None:
        """A schedule put under the name of a removed one is another one, though both are at revision 1 (S2.4)."""
        keys = []
        for _ in range(3):
            record = await put(repository)
            keys.append(record.key)
            assert record.revision == 1
            await remove(repository, record)
        assert len(set(keys)) == 3
        assert keys == sorted(keys)

    async def test_an_old_record_does_not_revise_its_successor(self, repository: ScheduleRepository) -> None:
        """A revision of a removed schedule is refused by the next one of its name, though that is at the same one."""
        old = await put(repository, handler="old")
        await remove(repository, old)
        new = await put(repository, handler="new")
        assert new.revision == old.revision
        await refuse(repository, schedules=[putting(a_schedule(handler="third"), old.revision, old.key)])
        await refuse(repository, schedules=[putting(a_schedule(handler="third"), new.revision)])
        assert (await schedule_of(repository, "nightly")).schedule.handler == "new"
        assert (await revise(repository, new, handler="third")).revision == 2

    async def test_an_old_record_does_not_remove_its_successor(self, repository: ScheduleRepository) -> None:
        """Who read a schedule that was removed and put anew meanwhile is refused, whatever the revisions say."""
        old = await put(repository, handler="old")
        await remove(repository, old)
        new = await put(repository, handler="new")
        await refuse(repository, schedules=[RemoveSchedule(old, old.revision)])
        kept = await schedule_of(repository, "nightly")
        assert (kept.key, kept.schedule.handler) == (new.key, "new")

    async def test_a_removed_schedule_keeps_its_history(self, repository: ScheduleRepository) -> None:
        """Its runs are found by name and by number, and show the schedule they belong to."""
        record = await put(repository)
        run = await decide(repository, record)
        await remove(repository, record)
        kept = await repository.get_run(run.run_id)
        assert kept is not None
        assert (kept.schedule.schedule.name, kept.schedule.removed) == ("nightly", True)
        by_name = await repository.get_run_of("nightly", NOW, run.origin, 0)
        assert by_name is not None
        assert by_name.run_id == run.run_id

    async def test_a_bulk_change_has_a_verdict_for_each_item(self, repository: ScheduleRepository) -> None:
        """A refused item in the middle leaves those before and after it done."""
        await put(repository, "b")
        changes = [Change(schedules=[putting(a_schedule(name))]) for name in ("a", "b", "c")]
        verdicts = await repository.commit(changes)
        assert verdicts == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
        found = await repository.get_schedules(["a", "b", "c"])
        assert [record and record.revision for record in found] == [1, 1, 1]
        assert await repository.commit([]) == []

    async def test_later_items_see_earlier_ones(self, repository: ScheduleRepository) -> None:
        """Changes are kept in order: the second put of a name in one commit is refused, its update is not."""
        key = (await put(repository)).key
        verdicts = await repository.commit(
            [
                Change(schedules=[putting(a_schedule("other"))]),
                Change(schedules=[putting(a_schedule("other", handler="second"))]),
                Change(schedules=[putting(a_schedule(handler="second"), 1, key)]),
                Change(schedules=[putting(a_schedule(handler="third"), 2, key)]),
            ]
        )
        assert verdicts == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE, Verdict.DONE]
        record = await schedule_of(repository, "nightly")
        assert (record.revision, record.schedule.handler) == (3, "third")

    async def test_several_schedules_of_one_change_are_put_together(self, repository: ScheduleRepository) -> None:
        """One change puts all of its schedules or none of them."""
        await put(repository, "b")
        await refuse(repository, schedules=[putting(a_schedule(name)) for name in ("a", "b", "c")])
        assert await repository.get_schedules(["a", "c"]) == [None, None]
        await keep(repository, schedules=[putting(a_schedule(name)) for name in ("a", "c")])
        assert None not in await repository.get_schedules(["a", "b", "c"])

    async def test_many_new_schedules_are_each_kept_whole(self, repository: ScheduleRepository) -> None:
        """However many there are at once, and whatever is said of them; a name that is taken is refused among them."""
        taken = await put(repository, "s8", next_due_at=NOW + HOUR)
        puts = [putting_one_of_many(number) for number in range(700)]
        verdicts = await repository.commit([Change(schedules=[put]) for put in puts])
        assert [number for number, verdict in enumerate(verdicts) if verdict is not Verdict.DONE] == [8]
        found = await repository.get_schedules([put.schedule.name for put in puts])
        records = [record for record in found if record is not None]
        assert len({record.key for record in records}) == len(puts)
        assert records[8].key == taken.key
        for put_one, record in zip(puts[:8] + puts[9:], records[:8] + records[9:], strict=True):
            assert record.schedule == put_one.schedule
            assert (record.revision, record.runs, record.removed, record.epoch) == (1, 0, False, 0)
            assert (record.cursor_at, record.next_due_at) == (put_one.cursor_at, put_one.next_due_at)
            assert (record.anchor_at, record.state, record.pause) == (put_one.anchor_at, put_one.state, put_one.pause)
        due = [group.schedules for group in (await repository.read_due(NOW + 699, 700)).groups]
        active = [record for record in records if record.state is ScheduleState.ACTIVE and record.key != taken.key]
        assert sorted(one.key for group in due for one in group) == sorted(record.key for record in active)
        for tag, count in (("seventh", 99), ("odd", 50)):
            assert len((await repository.find_schedules(ScheduleQuery(tag=tag, limit=200))).rows) == count

    async def test_many_new_schedules_have_keys_in_order(self, repository: ScheduleRepository) -> None:
        """Keys follow each other, and none is used again that a schedule had which is gone."""
        gone = await put(repository, "gone")
        await remove(repository, gone)
        await repository.commit([Change(schedules=[putting_one_of_many(number)]) for number in range(600, 610)])
        found = await repository.get_schedules([f"s{number}" for number in range(600, 610)])
        assert [record and record.key for record in found] == [*range(gone.key + 1, gone.key + 11)]


class AddingContract:
    """New schedules that are put together are what each would be that is put by itself, from then on."""

    async def test_they_are_kept_whole(self, repository: ScheduleRepository) -> None:
        """However many they are, and whatever is said of them."""
        gone = await put(repository, "gone")
        await remove(repository, gone)
        added = [one_to_add(number) for number in range(700)]
        await keep(repository, schedules=[FirstPuts().of(added, NOW)])
        found = await repository.get_schedules([schedule.name for schedule in added])
        alone = first_records(added, NOW)
        assert [record and record.key for record in found] == [*range(gone.key + 1, gone.key + 701)]
        assert [_said(record) for record in found if record] == [_said(record) for record in alone]
        assert (await repository.statistics()).schedules == Counter(record.state for record in alone)
        assert await repository.count_owned("me") == 100
        for tag, count in (("seventh", 99), ("odd", 50)):
            assert len((await repository.find_schedules(ScheduleQuery(tag=tag, limit=200))).rows) == count

    async def test_all_are_refused_where_a_name_is_taken(self, repository: ScheduleRepository) -> None:
        """And nothing else of their change is kept."""
        taken = await put(repository, "s5", next_due_at=NOW + HOUR)
        added = [one_to_add(number) for number in range(10)]
        document = PutDocument("of", "them", 0, {})
        await refuse(repository, schedules=[FirstPuts().of(added, NOW)], documents=[document])
        found = await repository.get_schedules([schedule.name for schedule in added])
        assert [record and record.key for record in found] == [None] * 5 + [taken.key] + [None] * 4
        assert await repository.get_document("of", "them") is None
        assert await repository.count_owned("me") == 0

    async def test_each_comes_due_by_itself(self, repository: ScheduleRepository) -> None:
        """At its time, with others of its lane, and is decided as any other."""
        added = [one_to_add(number) for number in range(14)]
        await keep(repository, schedules=[FirstPuts().of(added, NOW)])
        alone = first_records(added, NOW)
        for minutes in range(3):
            now = NOW + minutes * MINUTE
            due = {one.schedule.name for one in alone if one.wakes_at is not None and one.wakes_at <= now}
            groups = (await repository.read_due(now, 100)).groups
            assert {record.schedule.name for group in groups for record in group.schedules} >= due
            assert {group.schedules[0].schedule.name for group in groups} <= due
        [group] = [group for group in groups if group.schedules[0].schedule.name == "s7"]
        [record] = group.schedules
        await keep(repository, moved=[moving(record, NOW + MINUTE, next_due_at=NOW + 5 * MINUTE)])
        again = await schedule_of(repository, "s7")
        assert (again.cursor_at, again.next_due_at, again.key) == (NOW + MINUTE, NOW + 5 * MINUTE, record.key)

    async def test_each_is_revised_and_removed_by_itself(self, repository: ScheduleRepository) -> None:
        """Under its key; its name is free then, and its owner has one less."""
        added = [one_to_add(number) for number in range(14)]
        await keep(repository, schedules=[FirstPuts().of(added, NOW)])
        assert await repository.count_owned("me") == 2
        revised = await revise(repository, await schedule_of(repository, "s3"), handler="other")
        assert (revised.revision, revised.schedule.handler) == (2, "other")
        for name in ("s1", "s3", "s4"):
            await remove(repository, await schedule_of(repository, name))
        assert await repository.get_schedules(["s1", "s3", "s4"]) == [None] * 3
        assert await repository.count_owned("me") == 1
        names = [record.schedule.name for record in (await repository.find_schedules(ScheduleQuery())).rows]
        assert names == sorted(schedule.name for schedule in added if schedule.name not in ("s1", "s3", "s4"))
        again = await put(repository, "s3")
        assert again.key > revised.key

    async def test_they_are_found_when_the_clock_was_set_back(self, repository: ScheduleRepository) -> None:
        """Behind the instant at which they were put."""
        added = [one_to_add(number) for number in range(7, 10)]
        await keep(repository, schedules=[FirstPuts().of(added, NOW)])
        ahead = await repository.read_ahead(NOW - HOUR)
        assert [one.record.schedule.name for one in ahead] == ["s7", "s8", "s9"]
        assert await repository.read_ahead(NOW) == []


def _said(record: ScheduleRecord) -> dict[str, Any]:
    """Return all of a record but its key, and what only some repositories know."""
    return {**attrs.asdict(record, recurse=False), "key": 0, "unfinished": None}


def one_to_add(number: int) -> Schedule:
    """Return a schedule: most recur and say nothing of themselves, some say more."""
    policies: dict[str, Any] = {}
    trigger: Trigger = Every(60)
    match number % 7:
        case 0 if number:
            policies = {"tags": ["seventh", "odd" if number % 2 else "even"], "resources": ["press"]}
        case 1:
            policies = {"lane": "press", "supersede": True, "priority": 9, "owner": "me"}
        case 2:
            policies = {"enabled": False}
        case 3:
            trigger = Once(NOW - HOUR)
        case 4:
            policies = {"end_at": NOW - 1}
        case 5:
            trigger = After(90)
    return a_schedule(f"s{number}", trigger, **policies)


def putting_one_of_many(number: int) -> PutSchedule:
    """Return the first put of a schedule: most say nothing of themselves, some say more."""
    policies: dict[str, Any] = {}
    state, pause = ScheduleState.ACTIVE, None
    match number % 7:
        case 0 if number:
            policies |= {"tags": ["seventh", "odd" if number % 2 else "even"], "resources": ["press"]}
        case 1:
            policies |= {"lane": "press", "priority": 9, "overlap": "skip", "owner": "me"}
        case 2:
            state, pause = ScheduleState.PAUSED, Pause("somebody", "holiday", NOW)
    schedule = a_schedule(f"s{number}", **policies)
    return putting(schedule, next_due_at=NOW + number, cursor_at=NOW - number, state=state, pause=pause)
