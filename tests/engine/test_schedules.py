"""The facade's commands on schedules: what they do, and what they answer when they cannot (S5.3, S5.6, S5.8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.world import a_node, in_virtual_time
from trioarm import (
    Every,
    InMemoryScheduleRepository,
    InvalidSchedule,
    Misfire,
    Reason,
    RevisionConflict,
    RunContext,
    ScheduleQuery,
    Scheduler,
    State,
    UnknownSchedule,
)
from trioarm.core.changes import Change, Verdict
from trioarm.core.events import ScheduleChange, ScheduleChanged
from trioarm.core.instants import as_datetime
from trioarm.core.run import RunRecord
from trioarm.engine.put_results import PutOutcome, PutResult

from .nodes import a_config, at, every, keeping, once, rows_of


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


def with_a_node(main: Any, **options: Any) -> Any:
    """Run `main(scheduler, repository)` on a node with the handler `work`."""

    async def node() -> Any:
        repository = InMemoryScheduleRepository()
        async with a_node({"work": works}, a_config(), store=keeping(repository), **options) as (scheduler, _):
            return await main(scheduler, repository)

    return in_virtual_time(node)


def test_what_is_put_is_stored_and_comes_due() -> None:
    """`put` answers with the first revision and the next instant; `get` says the same."""

    async def main(scheduler: Scheduler, _: object) -> None:
        stored = await scheduler.schedules.put(every("hourly", Every(3600)))
        assert (stored.name, stored.state, stored.revision, stored.runs) == ("hourly", "active", 1, 0)
        assert stored.next_due_at == as_datetime(at(3600))
        assert await scheduler.schedules.get("hourly") == stored

    with_a_node(main)


def test_putting_the_same_again_changes_nothing() -> None:
    """Not the revision, not the rhythm; there is no event either (S5.6)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        schedule = every("hourly", Every(3600), tags=("a",), args={"x": [1]})
        first = await scheduler.schedules.put(schedule)
        await trio.sleep(60)
        with scheduler.subscribe(ScheduleChanged) as events:
            again = await scheduler.schedules.put(every("hourly", Every(3600), tags=("a",), args={"x": [1]}))
            assert again == first
            changed = await scheduler.schedules.put(every("hourly", Every(3600), tags=("b",), args={"x": [1]}))
            assert (changed.revision, changed.next_due_at) == (2, first.next_due_at)
            async for event in events:
                assert event == ScheduleChanged("hourly", ScheduleChange.PUT)
                break

    with_a_node(main)


def test_a_revision_that_was_read_must_be_the_current_one() -> None:
    """Else somebody's change would be lost; 0 insists on a new schedule."""

    async def main(scheduler: Scheduler, _: object) -> None:
        with pytest.raises(
            RevisionConflict, match=r"^one was read at revision 1, now it is not stored: read it again$"
        ):
            await scheduler.schedules.put(once(), revision=1)
        assert (await scheduler.schedules.put(once(), revision=0)).revision == 1
        with pytest.raises(RevisionConflict, match="now it is at revision 1: read it again"):
            await scheduler.schedules.put(once(priority=9), revision=0)
        assert (await scheduler.schedules.put(once(priority=9), revision=1)).revision == 2

    with_a_node(main)


def test_what_is_due_is_decided_by_the_old_definition_first() -> None:
    """A change is never retroactive, however much is due: every occurrence until now keeps its rule (S5.6)."""

    async def main() -> None:
        repository = InMemoryScheduleRepository()
        old = every("each", Every(1), misfire=Misfire.EACH, misfire_window_s=86_400.0, overlap="allow")
        async with a_node({"work": works}, store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(old)
        config = a_config(auto_start=False)
        async with a_node({"work": works}, config, store=keeping(repository), start_at=at(3500)) as (scheduler, _):
            await scheduler.schedules.put(every("each", Every(7200)))
            rows = await rows_of(repository, old)
            assert [run.nominal_at for run in rows] == [at(second) for second in range(1, 3501)]

    in_virtual_time(main)


def test_many_are_put_each_on_its_own() -> None:
    """One answer for each, in order; those in the past come due at once."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put_many([once("same"), once("other")])
        results = await scheduler.schedules.put_many([once("same"), once("other", priority=1), once("new")])
        assert [(item.name, str(item.outcome), item.error) for item in results] == [
            ("same", "unchanged", None),
            ("other", "changed", None),
            ("new", "added", None),
        ]
        assert results[-1] == PutResult("new", PutOutcome.ADDED)
        assert results[1:] == [results[1], results[-1]]
        assert (results == list(results), results == results[:2], results == "new") == (True, False, False)
        assert repr(results) == repr([*results])
        assert await scheduler.schedules.put_many([]) == []
        page = await scheduler.schedules.find(ScheduleQuery(prefix="s"))
        assert [row.name for row in page.rows] == ["same"]
        everything = await scheduler.schedules.put_many(once(f"m{index}") for index in range(2500))
        assert {str(item.outcome) for item in everything} == {"added"}

    with_a_node(main)


def test_of_one_name_put_twice_in_a_call_the_last_counts() -> None:
    """The earlier one is refused in so many words, and nothing else of the call is disturbed."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> Any:
        schedules = [every("a", Every(60)), every("b", Every(60)), every("a", Every(90))]
        results = await scheduler.schedules.put_many(schedules)
        stored = await scheduler.schedules.get("a")
        return [(one.name, one.outcome.value, one.error) for one in results], stored.schedule.trigger

    results, trigger = with_a_node(main)
    refused = "the same name comes again later in this call, and the last one counts"
    assert results == [("a", "refused", refused), ("b", "added", None), ("a", "added", None)]
    assert trigger == Every(90)


@pytest.mark.parametrize("command", ["get", "remove", "pause", "resume"])
def test_a_schedule_that_is_not_there(command: str) -> None:
    """Every command on schedules says which one it did not find."""

    async def main(scheduler: Scheduler, _: object) -> None:
        with pytest.raises(UnknownSchedule, match=r"^there is no schedule 'ghost'$"):
            await getattr(scheduler.schedules, command)("ghost")

    with_a_node(main)


def test_a_removed_schedule_leaves_its_history() -> None:
    """What waits is cancelled, what works may end, and its name is free for another."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put_many([once("a", lane="press"), once("b", 10.5, lane="press"), once("c", 5000)])
        await trio.sleep(10.7)
        for name in ("a", "b", "c"):
            await scheduler.schedules.remove(name)
        await trio.sleep(60)
        rows = await rows_of(repository, once("a"), once("b"), once("c"))
        assert [(run.schedule.schedule.name, run.state, run.reason) for run in rows] == [
            ("a", State.SUCCEEDED, None),
            ("b", State.CANCELLED, Reason.REMOVED),
        ]
        with pytest.raises(UnknownSchedule):
            await scheduler.schedules.get("a")
        assert (await scheduler.runs.get("a@2026-11-23T22:00:10Z")).state is State.SUCCEEDED
        assert (await scheduler.schedules.put(once("a"))).revision == 1

    with_a_node(main)


def test_a_declared_schedule_is_removed_in_its_file() -> None:
    """A command would be undone by the next start; the message names the file and the other way (S5.8)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.sync("file:scheduler.toml", [once()])
        message = "one is declared in scheduler.toml: remove it there, or set enabled = false"
        with pytest.raises(InvalidSchedule, match=f"^{re.escape(message)}$"):
            await scheduler.schedules.remove("one")
        assert (await scheduler.schedules.pause("one")).state == "paused"

    with_a_node(main)


def test_paused_time_is_never_caught_up() -> None:
    """Nothing runs meanwhile; at the end there is one row for the range, and the rhythm is what it was (S5.3)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put(every("each", Every(60), misfire=Misfire.EACH))
        await trio.sleep(90)
        paused = await scheduler.schedules.pause("each", author="somebody", note="painters in the house")
        assert (paused.state, paused.next_due_at) == ("paused", None)
        assert paused.pause is not None
        assert (paused.pause.author, paused.pause.note, paused.pause.since_at) == (
            "somebody",
            "painters in the house",
            at(90),
        )
        await trio.sleep(600)
        assert len(await rows_of(repository, every("each", Every(60)))) == 1
        resumed = await scheduler.schedules.resume("each")
        assert (resumed.state, resumed.pause, resumed.next_due_at) == ("active", None, as_datetime(at(720)))
        await trio.sleep(60)
        rows = await rows_of(repository, every("each", Every(60)))
        assert [(run.nominal_at, run.last_at, run.count, run.state, run.reason) for run in rows] == [
            (at(60), None, 1, State.SUCCEEDED, None),
            (at(120), at(660), 10, State.SKIPPED, Reason.PAUSED),
            (at(720), None, 1, State.SUCCEEDED, None),
        ]
        assert (await scheduler.schedules.resume("each")).revision == resumed.revision

    with_a_node(main)


def test_what_its_definition_disables_cannot_be_resumed() -> None:
    """The definition would win again; the message says where to change it."""

    async def main(scheduler: Scheduler, _: object) -> None:
        assert (await scheduler.schedules.put(once(enabled=False))).state == "paused"
        with pytest.raises(InvalidSchedule, match=r"^one is disabled by its definition: set enabled = true there"):
            await scheduler.schedules.resume("one")
        assert (await scheduler.schedules.put(once(enabled=True))).state == "active"

    with_a_node(main)


def test_a_set_is_synchronised_as_a_whole() -> None:
    """Added, changed, pruned, left alone: by name, only of its owner, and not at all in a dry run (S5.8)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        async def stored() -> dict[str, tuple[int, int, str | None]]:
            rows = (await scheduler.schedules.find()).rows
            return {
                row.name: (row.revision, row.schedule.priority, row.schedule.owner)
                for row in rows
                if row.schedule.owner != "trioarm"
            }

        await scheduler.schedules.put(once("mine"))
        await scheduler.schedules.sync("other", [once("theirs")])
        await scheduler.schedules.sync("owner", [once("same"), once("old"), once("change")])
        before = await stored()
        wanted = [once("same"), once("change", priority=9), once("new"), once("mine"), once("theirs")]
        planned = await scheduler.schedules.sync("owner", wanted, dry_run=True)
        assert await stored() == before
        done = await scheduler.schedules.sync("owner", wanted)
        assert done == planned
        assert (done.added, done.changed, done.removed) == (("new",), ("change",), ("old",))
        assert (done.unchanged, done.foreign) == (("same",), ("mine", "theirs"))
        assert await stored() == {
            "mine": (1, 5, None),
            "theirs": (1, 5, "other"),
            "same": (1, 5, "owner"),
            "change": (2, 9, "owner"),
            "new": (1, 5, "owner"),
        }
        again = await scheduler.schedules.sync("owner", wanted)
        assert (again.added, again.changed, again.removed) == ((), (), ())
        await scheduler.schedules.sync("owner", [])
        assert set(await stored()) == {"mine", "theirs"}

    with_a_node(main)


def test_a_synchronised_pause_outlives_a_change_of_the_declaration() -> None:
    """What a person paused stays paused, whatever the file says of the rest (S5.7)."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.sync("file:a.toml", [every("each", Every(60))])
        await scheduler.schedules.pause("each", author="somebody")
        await trio.sleep(100)
        await scheduler.schedules.sync("file:a.toml", [every("each", Every(60), priority=7)])
        stored = await scheduler.schedules.get("each")
        assert (stored.state, stored.schedule.priority) == ("paused", 7)

    with_a_node(main)


@pytest.mark.parametrize("command", ["put", "put_many", "pause", "skip", "sync"])
def test_a_change_on_its_way_while_an_occurrence_is_decided_sets_no_cursor_back(command: str) -> None:
    """It was made of what was read before: it is made anew, and what is decided stays decided once (S2.1, S5.6)."""
    before = every("often", Every(1), owner="test")
    after = attrs.evolve(before, priority=7)

    class Far(InMemoryScheduleRepository):
        """Takes as long for the first change of a schedule as its next occurrence is away."""

        is_far = False

        async def commit(self, changes: Sequence[Change]) -> list[Verdict]:
            if self.is_far and any(change.schedules for change in changes):
                self.is_far = False
                await trio.sleep(1.5)
            return await super().commit(changes)

    async def main() -> list[RunRecord]:
        repository = Far()
        async with a_node({"work": works}, a_config(), store=keeping(repository)) as (scheduler, _):
            await scheduler.schedules.put(before)
            await trio.sleep(5.3)
            repository.is_far = True
            match command:
                case "put":
                    await scheduler.schedules.put(after)
                case "put_many":
                    (result,) = await scheduler.schedules.put_many([after])
                    assert result.outcome is PutOutcome.CHANGED
                case "pause":
                    await scheduler.schedules.pause("often")
                    await scheduler.schedules.resume("often")
                case "skip":
                    await scheduler.schedules.skip_next("often")
                case _:
                    assert (await scheduler.schedules.sync("test", [after])).changed == ("often",)
            assert not repository.is_far
            await trio.sleep(5)
            return await rows_of(repository, before)

    rows = in_virtual_time(main)
    assert [row.nominal_at for row in rows] == [at(second) for second in range(1, len(rows) + 1)]
    assert len(rows) == 11
