"""The journal of operations: one entry for each call that changed something, kept with what it changed."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio

from tests.making import HOUR, MINUTE, NOW
from tests.world import a_node, in_virtual_time
from trioarm import Every, InMemoryScheduleRepository, InvalidSchedule, RunContext, Scheduler, State
from trioarm.core.changes import AddSchedules, Change, PutSchedule, Verdict
from trioarm.core.diff import first_put
from trioarm.core.operations import JOURNAL, Operation, Verb, read_operation
from trioarm.core.run import Origin

from .nodes import a_config, every, keeping, once, rows_of

HOURLY = every("hourly", Every(3600, anchor=NOW + 600_000_000))
FIRST = NOW + 10 * MINUTE


async def works(run: RunContext) -> None:
    """Take a second."""
    await trio.sleep(1)


def with_a_node(main: Any, repository: InMemoryScheduleRepository | None = None) -> Any:
    """Run `main(scheduler, repository)` on a node with the handler `work`."""

    async def node() -> Any:
        kept = repository or InMemoryScheduleRepository()
        async with a_node({"work": works}, a_config(), store=keeping(kept)) as (scheduler, _):
            return await main(scheduler, kept)

    return in_virtual_time(node)


async def journal(repository: InMemoryScheduleRepository, after: int = 0) -> list[Operation]:
    """Return what was done, but for what the node did when it started."""
    entries = await repository.read_journal(JOURNAL, after=after, limit=1_000)
    return [operation for kept in entries if (operation := read_operation(kept)).subject != "trioarm"]


def test_every_command_that_changes_something_is_noted() -> None:
    """Who, what, whom, why, and the instants that are needed to understand it; what changes nothing is not noted."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        schedules, runs = scheduler.schedules, scheduler.runs
        somebody = {"author": "somebody", "note": "guests"}
        await schedules.put(HOURLY, author="another")
        await schedules.put(HOURLY, author="another")
        await schedules.skip_next("hourly", **somebody)
        await schedules.skip_next("hourly", **somebody)
        await schedules.postpone("hourly", FIRST + HOUR, by_s=60, **somebody)
        await schedules.undo("hourly", FIRST + HOUR, **somebody)
        await schedules.pause("hourly", until=FIRST, **somebody)
        await schedules.resume("hourly")
        await schedules.resume("hourly")
        run = await runs.wait((await runs.fire("hourly", **somebody)).id)
        again = await runs.retry(run.id, **somebody)
        await runs.cancel(again.id, **somebody)
        await schedules.remove("hourly", **somebody)
        assert await journal(repository) == [
            Operation("another", Verb.PUT, "hourly", revision=1),
            Operation("somebody", Verb.SKIP, "hourly", "guests", revision=2, nominal_at=FIRST),
            Operation(
                "somebody", Verb.POSTPONE, "hourly", "guests", revision=3, nominal_at=FIRST + HOUR,
                until_at=FIRST + HOUR + MINUTE,
            ),
            Operation(
                "somebody", Verb.UNDO, "hourly", "guests", revision=4, nominal_at=FIRST + HOUR,
                until_at=FIRST + HOUR + MINUTE,
            ),
            Operation("somebody", Verb.PAUSE, "hourly", "guests", revision=5, until_at=FIRST),
            Operation("api", Verb.RESUME, "hourly", revision=6),
            Operation("somebody", Verb.FIRE, run.id, "guests"),
            Operation("somebody", Verb.RETRY, again.id, "guests"),
            Operation("somebody", Verb.CANCEL, again.id, "guests"),
            Operation("somebody", Verb.REMOVE, "hourly", "guests"),
        ]  # fmt: skip
        kept = await repository.read_journal(JOURNAL, limit=1_000)
        assert {entry.at for entry in kept} == {NOW, NOW + 1_000_000}

    with_a_node(main)


def test_what_is_refused_is_not_noted() -> None:
    """The journal says what was done, not what was tried."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put(HOURLY)
        before = await journal(repository)
        for tried in (
            scheduler.schedules.skip("hourly", NOW + 1),
            scheduler.schedules.postpone("hourly", by_s=9e9),
            scheduler.schedules.pause("hourly", until=NOW),
            scheduler.schedules.undo("hourly"),
        ):
            with pytest.raises(InvalidSchedule):
                await tried
        assert await journal(repository) == before

    with_a_node(main)


def test_a_bulk_put_is_one_entry() -> None:
    """However many are put: with the first that changes, and none when nothing does."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        many = [once(f"s{number}", 9000) for number in range(2500)]
        await scheduler.schedules.put_many(many[:1200], author="another")
        await scheduler.schedules.put_many(many[:1200], author="another")
        await scheduler.schedules.put_many(many, author="somebody")
        await scheduler.schedules.put_many([])
        assert await journal(repository) == [
            Operation("another", Verb.PUT, "s0", count=1200),
            Operation("somebody", Verb.PUT, "s0", count=2500),
        ]

    with_a_node(main)


URGENT = once("s0", 9000, priority=9)


def test_a_bulk_put_whose_first_schedule_is_refused_is_noted_all_the_same() -> None:
    """Somebody was faster with that one again and again; the others were put, and it is noted who did."""

    class Faster(InMemoryScheduleRepository):
        async def commit(self, changes: Any) -> list[Verdict]:
            for change in changes:
                for step in change.schedules:
                    if isinstance(step, AddSchedules):
                        await super().commit([Change(schedules=[first_put(URGENT, NOW)])])
                    elif isinstance(step, PutSchedule) and (step.schedule.name, step.schedule.priority) == ("s0", 5):
                        await super().commit([Change(schedules=[attrs.evolve(step, schedule=URGENT)])])
            return await super().commit(changes)

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        results = await scheduler.schedules.put_many([once("s0", 9000), once("s1", 9000)], author="another")
        assert [str(result.outcome) for result in results] == ["refused", "added"]
        assert await journal(repository) == [Operation("another", Verb.PUT, "s0", count=2)]

    with_a_node(main, Faster())


def test_a_sync_is_noted_when_it_changes_something() -> None:
    """One entry with what it changed, in the owner's name, by whoever asked for it."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        sync = scheduler.schedules.sync
        await sync("file:a.toml", [once("a", 9000), once("b", 9000)], author="somebody")
        await sync("file:a.toml", [once("a", 9000), once("b", 9000)])
        await sync("file:a.toml", [once("a", 9000, priority=9), once("c", 9000)], dry_run=True)
        await sync("file:a.toml", [once("a", 9000, priority=9), once("c", 9000)])
        assert await journal(repository) == [
            Operation("somebody", Verb.SYNC, "file:a.toml", "2 added", count=2),
            Operation("api", Verb.SYNC, "file:a.toml", "1 added, 1 changed, 1 removed", count=3),
        ]

    with_a_node(main)


def test_what_a_node_declares_is_noted_in_its_own_name() -> None:
    """Its built-in schedules too: nothing is changed by nobody."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        kept = [read_operation(entry) for entry in await repository.read_journal(JOURNAL)]
        assert kept == [Operation("trioarm", Verb.SYNC, "trioarm", "2 added", count=2)]

    with_a_node(main)


def test_an_entry_is_kept_with_its_change_or_not_at_all() -> None:
    """Refused because somebody was faster, the command reads again, and there is one entry in the end."""
    tries: list[Verdict] = []

    class Busy(InMemoryScheduleRepository):
        async def commit(self, changes: Any) -> list[Verdict]:
            noted = any(entry.body["verb"] == "skip" for change in changes for entry in change.journal)
            if noted and len(tries) < 3:
                tries.append(Verdict.REFUSED)
                return [Verdict.REFUSED for _ in changes]
            return await super().commit(changes)

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put(HOURLY)
        await scheduler.schedules.skip_next("hourly")
        assert [operation.verb for operation in await journal(repository)] == [Verb.PUT, Verb.SKIP]
        assert len(tries) == 3

    with_a_node(main, Busy())


# Fire with its own overlap


def test_firing_may_be_refused_while_a_run_is_unfinished() -> None:
    """A manual run carries its own overlap: beside others unless it is told not to be (S5.3)."""

    async def main(scheduler: Scheduler, repository: InMemoryScheduleRepository) -> None:
        await scheduler.schedules.put(HOURLY)
        first = await scheduler.runs.fire("hourly", overlap="skip")
        await trio.sleep(0.5)
        with pytest.raises(
            InvalidSchedule,
            match=r"^hourly@2026-11-23T22:00:00Z\+manual is still running: wait for it, cancel it, or let both run$",
        ):
            await scheduler.runs.fire("hourly", overlap="skip")
        beside = await scheduler.runs.fire("hourly", {"n": 1})
        await scheduler.runs.wait(beside.id)
        await scheduler.runs.wait((await scheduler.runs.fire("hourly", overlap="skip")).id)
        rows = await rows_of(repository, HOURLY)
        assert [(run.origin, run.state) for run in rows] == [(Origin.MANUAL, State.SUCCEEDED)] * 3
        assert first.id == "hourly@2026-11-23T22:00:00Z+manual"
        with pytest.raises(InvalidSchedule, match=r"^overlap 'buffer': it is one of skip, buffer_one, buffer_l"):
            await scheduler.runs.fire("hourly", overlap="buffer")

    with_a_node(main)


def test_a_postponed_run_is_unfinished_too() -> None:
    """What waits to begin would begin beside it."""

    async def main(scheduler: Scheduler, _: object) -> None:
        await scheduler.schedules.put(HOURLY)
        await scheduler.schedules.postpone("hourly", by_s=600)
        await trio.sleep(15 * 60)
        with pytest.raises(InvalidSchedule, match=r"^hourly@2026-11-23T22:10:00Z is still pending: "):
            await scheduler.runs.fire("hourly", overlap="skip")

    with_a_node(main)
