"""The same for many schedules, or many runs: each on its own, with a result, and no more than a call may change."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from trioarm import (
    BulkOutcome,
    Every,
    InvalidSchedule,
    Origin,
    RunContext,
    RunQuery,
    Schedule,
    ScheduleQuery,
    State,
)
from trioarm.core.instants import HOUR
from trioarm.core.operations import JOURNAL, Operation, Verb, read_operation
from trioarm.engine import bulk_commands
from trioarm.testing import Fault, FileStore, MemoryDisk, Store, World, a_world, in_virtual_time
from trioarm.testing.world import BEGIN

CHANGED, UNCHANGED, REFUSED = BulkOutcome
DISABLED = "s3 is disabled by its definition: set enabled = true there"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a store that outlives nodes."""
    return MemoryDisk() if request.param == "memory" else FileStore(tmp_path / "trioarm.db")


async def forever(run: RunContext) -> None:
    """Work until somebody asks to stop."""
    await trio.sleep_forever()


async def stubborn(run: RunContext) -> None:
    """Work until somebody asks to stop, and two seconds more."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)


def tagged(count: int = 4) -> list[Schedule]:
    """Return so many schedules with a tag, the last one disabled, and one without."""
    many = [Schedule(f"s{n}", Every(3600), handler="work", tags=("x",), enabled=n < count - 1) for n in range(count)]
    return [*many, Schedule("other", Every(3600), handler="work")]


async def operations(world: World) -> list[Operation]:
    """Return what was done since the schedules were put."""
    entries = await world.living[0].repository.read_journal(JOURNAL, limit=1_000)
    found = [read_operation(kept) for kept in entries]
    return [operation for operation in found if operation.verb not in (Verb.PUT, Verb.SYNC)]


def test_all_that_a_question_finds_are_paused_and_resumed(store: Store) -> None:
    """Each has a result; what is refused stops no other; what is so already is not written."""

    async def main() -> None:
        async with a_world(store) as world:
            scheduler = (await world.start({"work": forever})).scheduler
            await scheduler.schedules.put_many(tagged())
            await scheduler.schedules.pause("s1")
            told: list[tuple[int, int]] = []
            query = ScheduleQuery(tag="x", limit=1)
            done = await scheduler.schedules.pause_many(
                query, author="somebody", note="guests", until=BEGIN + HOUR, progress=lambda *far: told.append(far)
            )
            assert [(one.item, one.outcome) for one in done] == [(f"s{n}", CHANGED) for n in range(4)]
            assert told == [(4, 4)]
            again = await scheduler.schedules.pause_many(query, until=BEGIN + HOUR)
            assert [one.outcome for one in again] == [UNCHANGED] * 4
            assert (await scheduler.schedules.get("other")).state == "active"
            resumed = await scheduler.schedules.resume_many(query)
            assert [one.outcome for one in resumed] == [CHANGED, CHANGED, CHANGED, REFUSED]
            assert [one.error for one in resumed] == [None, None, None, DISABLED]
            assert [one.outcome for one in await scheduler.schedules.resume_many(query)] == [*[UNCHANGED] * 3, REFUSED]
            found = await operations(world)
            assert [(one.verb, one.subject) for one in found] == [
                ("pause", "s1"),
                *[("pause", f"s{n}") for n in range(4)],
                *[("resume", f"s{n}") for n in range(3)],
            ]
            assert (found[1].actor, found[1].note, found[1].until_at) == ("somebody", "guests", BEGIN + HOUR)

    in_virtual_time(main)


def test_a_dry_run_says_what_would_become_of_each() -> None:
    """In the same words, with nothing written."""

    async def main() -> None:
        async with a_world() as world:
            scheduler = (await world.start({"work": forever})).scheduler
            await scheduler.schedules.put_many(tagged())
            await scheduler.schedules.pause("s0")
            query = ScheduleQuery(tag="x")
            dry = await scheduler.schedules.resume_many(query, dry_run=True)
            assert [one.outcome for one in dry] == [CHANGED, UNCHANGED, UNCHANGED, REFUSED]
            assert (await scheduler.schedules.get("s0")).state == "paused"
            assert await scheduler.schedules.resume_many(query) == dry
            run = await scheduler.runs.fire("s0")
            assert [one.outcome for one in await scheduler.runs.cancel_many(RunQuery(), dry_run=True)] == [CHANGED]
            assert (await scheduler.runs.get(run.id)).state in (State.PENDING, State.RUNNING, State.CLAIMED)
            assert [one.verb for one in await operations(world)] == [Verb.PAUSE, Verb.RESUME, Verb.FIRE]

    in_virtual_time(main)


def test_what_nobody_knows_was_kept_is_changed_once(store: Store) -> None:
    """A commit that fails before or after it is kept, or is refused, is tried again; each is noted once."""

    async def main() -> None:
        async with a_world(store) as world:
            scheduler = (await world.start({"work": forever})).scheduler
            await scheduler.schedules.put_many(tagged())
            for number, fault in enumerate((Fault.BEFORE, Fault.AFTER, Fault.REFUSED)):
                world.plant(fault)
                done = await scheduler.schedules.pause_many(ScheduleQuery(tag="x"), note=f"{number}")
                assert [one.outcome for one in done] == [CHANGED] * 4
                await scheduler.runs.fire("other")
                world.plant(fault)
                assert [one.outcome for one in await scheduler.runs.cancel_many(RunQuery(schedule="other"))] == [
                    CHANGED
                ]
                await trio.sleep(1)
            verbs = [one.verb for one in await operations(world)]
            assert (verbs.count(Verb.PAUSE), verbs.count(Verb.CANCEL)) == (12, 3)

    in_virtual_time(main)


def test_all_unfinished_runs_that_a_question_finds_are_cancelled(store: Store) -> None:
    """At once while they wait, by asking their handler while they work; of a backfill, too; nobody else's."""

    async def main() -> None:
        async with a_world(store) as world:
            scheduler = (await world.start({"work": forever, "stubborn": stubborn})).scheduler
            first, *others = tagged()
            await scheduler.schedules.put_many([attrs.evolve(first, handler="stubborn"), *others])
            await scheduler.runs.backfill("s0", BEGIN - 1200 * HOUR, BEGIN)
            mine, other = await scheduler.runs.fire("s1"), await scheduler.runs.fire("other")
            await trio.sleep(1)
            query = RunQuery(under="s0", origins=frozenset({Origin.BACKFILL}))
            done = await scheduler.runs.cancel_many(query, note="wrong range")
            assert [one.outcome for one in done] == [CHANGED] * 1200
            asked = await scheduler.runs.cancel_many(query)
            assert [one.outcome for one in asked] == [UNCHANGED]  # its handler is at work until it has noticed
            tagged_too = await scheduler.runs.cancel_many(RunQuery(tag="x", origins=frozenset({Origin.MANUAL})))
            assert [one.item for one in tagged_too] == [mine.id]
            await trio.sleep(3)
            assert (await scheduler.runs.get(mine.id)).state is State.CANCELLED
            assert (await scheduler.runs.get(other.id)).state is State.RUNNING
            left = RunQuery(schedule="s0", states=frozenset(State) - {State.CANCELLED})
            assert (await scheduler.runs.find(left)).rows == []
            assert await scheduler.runs.cancel_many(query) == []
            assert await scheduler.schedules.pause_many(ScheduleQuery(tag="nobody")) == []

    in_virtual_time(main)


WRONG = {
    "more than 3 schedules are meant: narrow it, and do it in parts": lambda its: its.schedules.pause_many(
        ScheduleQuery(tag="x")
    ),
    "more than 3 runs are meant: narrow it, and do it in parts": lambda its: its.runs.cancel_many(RunQuery()),
    "author is empty: say who changes it": lambda its: its.schedules.resume_many(ScheduleQuery(tag="x"), author=" "),
    "a run that is failed is over: it cannot be cancelled": lambda its: its.runs.cancel_many(
        RunQuery(states=frozenset({State.FAILED, State.PENDING}))
    ),
}


def test_what_is_asked_wrongly_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a call may change, nobody who asks, runs that are over: one line each."""
    monkeypatch.setattr(bulk_commands, "BULK_MAX", 3)  # for 10 000, which take a while to make

    async def main() -> None:
        async with a_world() as world:
            scheduler = (await world.start({"work": forever})).scheduler
            await scheduler.schedules.put_many(tagged())
            for _ in range(4):
                await scheduler.runs.fire("other")
            for said, ask in WRONG.items():
                with pytest.raises(InvalidSchedule) as error:
                    await ask(scheduler)
                assert str(error.value) == said
            assert {one.verb for one in await operations(world)} == {Verb.FIRE}

    in_virtual_time(main)
