"""Schedules by the thousand, a bad one among them: it is named. Of those put all others are kept, of a set none."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import attrs
import pytest
import trio

from trioarm import Every, InvalidSchedule, Once, RepositoryError, Schedule, Scheduler, UnknownSchedule, open_scheduler
from trioarm.core.instants import LATEST
from trioarm.engine.commands import SYNC_MAX
from trioarm.engine.put_results import PutOutcome

MANY = 3_000
PLACE = 1_700  # of the bad one


class Broken(Once):
    """A trigger whose author made a mistake."""

    def next_after(self, instant: int) -> int | None:
        """Fail."""
        raise ZeroDivisionError("a mistake")


class Unwritten:
    """A trigger that works, and has no form in a file."""

    def next_after(self, instant: int) -> int | None:
        """Return a whole hour."""
        return (instant // 3_600_000_000 + 1) * 3_600_000_000

    def previous_before(self, instant: int) -> int | None:
        """Return a whole hour."""
        return (instant - 1) // 3_600_000_000 * 3_600_000_000

    def count(self, after: int, until: int) -> int:
        """Return how many hours lie between."""
        return until // 3_600_000_000 - after // 3_600_000_000

    def shift_at(self, instant: int) -> int:
        """Return nothing."""
        return 0

    def describe(self) -> str:
        """Return the rule in words."""
        return "hourly"


GOOD = Schedule("good", Every(3_600.0), handler="log")
BROKEN = Schedule("bad", Broken(LATEST), handler="log")
UNWRITTEN = Schedule("bad", Unwritten(), handler="log")
BAD = [
    ("memory", BROKEN, "its trigger fails: ZeroDivisionError: a mistake"),
    ("sqlite", BROKEN, "its trigger fails: ZeroDivisionError: a mistake"),
    ("sqlite", UNWRITTEN, "a Unwritten is no trigger that can be written down"),
]


def many(bad: Schedule) -> list[Schedule]:
    """Return so many schedules, a bad one among them."""
    schedules = [Schedule(f"s{number}", Every(3_600.0), handler="log") for number in range(MANY)]
    schedules[PLACE] = bad
    return schedules


def store(kind: str, folder: Path) -> str:
    """Return where a store of a kind is."""
    return "memory://" if kind == "memory" else f"sqlite:///{folder}/trioarm.db"


async def stored(scheduler: Scheduler) -> int:
    """Return how many schedules of ours are stored."""
    names = [f"s{number}" for number in range(MANY)]
    found = [name for name in names[:: MANY // 100] if (await scheduler.schedules.get(name)).name == name]
    return len(found)


async def names_stored(scheduler: Scheduler) -> list[str]:
    """Return the names of schedules that are not built in."""
    rows = (await scheduler.schedules.find()).rows
    return [row.name for row in rows if row.schedule.owner != "trioarm"]


@pytest.mark.parametrize(("kind", "bad", "why"), BAD, ids=["memory", "sqlite", "no form"])
async def test_a_bad_one_among_many_is_named_and_the_others_are_kept(
    tmp_path: Path, kind: str, bad: Schedule, why: str
) -> None:
    """One result says why; alone it is refused in the same words; the node goes on."""
    async with open_scheduler(store(kind, tmp_path)) as scheduler:
        results = await scheduler.schedules.put_many(many(bad))
        assert [(one.name, one.outcome, one.error) for one in results if one.error] == [("bad", "refused", why)]
        assert Counter(one.outcome for one in results) == {"added": MANY - 1, "refused": 1}
        assert await stored(scheduler) == 100
        with pytest.raises(InvalidSchedule, match=f"^bad: {why}$"):
            await scheduler.schedules.put(bad)
        await scheduler.schedules.put(Schedule("good", Every(3_600.0), handler="log"))


async def test_what_is_no_schedule_is_told_by_its_place(tmp_path: Path) -> None:
    """Before anything is put: nothing of such a call is meant as it stands."""
    mistaken: list[Schedule] = many("nonsense")  # type: ignore[arg-type]
    async with open_scheduler(store("sqlite", tmp_path)) as scheduler:
        with pytest.raises(
            TypeError, match=f"^number {PLACE + 1} of those to put is a str, no Schedule: nothing was put$"
        ):
            await scheduler.schedules.put_many(mistaken)
        assert not [one for one in (await scheduler.schedules.find()).rows if one.name.startswith("s")]


@pytest.mark.parametrize(("kind", "bad", "why"), BAD, ids=["memory", "sqlite", "no form"])
async def test_a_bad_one_in_a_declared_set_is_named_and_nothing_is_changed(
    tmp_path: Path, kind: str, bad: Schedule, why: str
) -> None:
    """A set is one transaction: its place, its name and why are said, and what was stored stays (S5.8)."""
    before = Schedule("before", Every(3_600.0), handler="log")
    said = f"^number {PLACE + 1} of those declared, bad: {why}: nothing was changed$"
    async with open_scheduler(store(kind, tmp_path)) as scheduler:
        await scheduler.schedules.sync("file:a.toml", [before])
        with pytest.raises(InvalidSchedule, match=said):
            await scheduler.schedules.sync("file:a.toml", many(bad))
        with pytest.raises(InvalidSchedule, match=said.replace("bad: ", "before: ")):
            await scheduler.schedules.sync("file:a.toml", many(attrs.evolve(bad, name="before")))
        assert await names_stored(scheduler) == ["before"]
        diff = await scheduler.schedules.sync("file:a.toml", many(before))
        assert (len(diff.added), diff.unchanged) == (MANY - 1, ("before",))


async def test_a_declared_set_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    """One that is no schedule, a name that comes twice, more than there may be: each in a line, before any work."""
    twice = many(Schedule("s7", Every(60.0), handler="log"))
    mistaken: list[Schedule] = many("nonsense")  # type: ignore[arg-type]
    too_many = [BROKEN] * (SYNC_MAX + 1)
    async with open_scheduler(store("sqlite", tmp_path)) as scheduler:
        with pytest.raises(TypeError, match=f"^number {PLACE + 1} of those to put is a str, no Schedule"):
            await scheduler.schedules.sync("me", mistaken)
        with pytest.raises(
            InvalidSchedule, match=f"^number {PLACE + 1} of those declared has the name of another, s7: "
        ):
            await scheduler.schedules.sync("me", twice)
        with pytest.raises(
            InvalidSchedule, match=f"^me declares {SYNC_MAX + 1} schedules: at most {SYNC_MAX} make a set"
        ):
            await scheduler.schedules.sync("me", too_many)
        assert await names_stored(scheduler) == []


async def test_the_loop_turns_while_many_are_put(tmp_path: Path) -> None:
    """Other tasks have their turn between a thousand and the next, on a file and in memory, also of a set."""
    for kind in ("memory", "sqlite"):
        turns = 0
        async with open_scheduler(store(kind, tmp_path)) as scheduler, trio.open_nursery() as nursery:

            async def turn() -> None:
                nonlocal turns
                while True:
                    await trio.lowlevel.checkpoint()
                    turns += 1

            nursery.start_soon(turn)
            before = turns
            await scheduler.schedules.put_many(many(BROKEN))
            assert turns - before > MANY // 1_000
            before = turns
            await scheduler.schedules.sync("me", [attrs.evolve(one, name=f"x{one.name}") for one in many(GOOD)])
            assert turns - before > MANY // 1_000
            nursery.cancel_scope.cancel()


async def test_what_is_put_side_by_side_is_kept_in_its_order(tmp_path: Path) -> None:
    """One that was there already, and one that is bad, change nothing of that; the journal has one entry."""
    path = tmp_path / "trioarm.db"
    wanted = [attrs.evolve(GOOD, name=f"s{number}") for number in range(MANY)]
    before = attrs.evolve(GOOD, name="s2500", trigger=Every(60.0))
    wanted[PLACE] = attrs.evolve(BROKEN, name=f"s{PLACE}")
    async with open_scheduler(f"sqlite:///{path}") as scheduler:
        await scheduler.schedules.put(before)
        results = await scheduler.schedules.put_many(wanted)
        outcomes = {result.name: result.outcome for result in results if result.outcome is not PutOutcome.ADDED}
        assert outcomes == {f"s{PLACE}": PutOutcome.REFUSED, "s2500": PutOutcome.CHANGED}
        assert [result.name for result in results] == [schedule.name for schedule in wanted]
    with closing(sqlite3.connect(path)) as file:
        kept = [name for (name,) in file.execute("SELECT name FROM schedules WHERE name LIKE 's%' ORDER BY key")]
        (entries,) = file.execute("SELECT count(*) FROM journal WHERE body LIKE '%put%'").fetchone()
    chunks = [int(name[1:]) // 1_000 for name in kept[1:]]  # in a chunk, those that are added come before others
    assert kept[0] == "s2500"
    assert chunks == [0] * 1_000 + [1] * 999 + [2] * 999
    assert entries == 2


async def test_a_store_that_goes_away_while_much_is_put_is_named_as_it_is(tmp_path: Path) -> None:
    """What was put before stays; the error is the store's own."""
    path = tmp_path / "trioarm.db"
    wanted = [attrs.evolve(GOOD, name=f"s{number}") for number in range(10 * MANY)]
    async with open_scheduler(f"sqlite:///{path}") as scheduler, trio.open_nursery() as nursery:

        async def take_away() -> None:
            found = False
            while not found:
                with suppress(UnknownSchedule):
                    found = (await scheduler.schedules.get("s1500")).name == "s1500"
            path.rename(tmp_path / "elsewhere.db")

        nursery.start_soon(take_away)
        with pytest.raises(RepositoryError, match="was removed or replaced"):
            await scheduler.schedules.put_many(wanted)
        (tmp_path / "elsewhere.db").rename(path)
