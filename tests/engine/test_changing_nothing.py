"""What is so already: no revision, nothing written, nothing told, whichever command asks for it (S5.6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from trioarm import Every, Once, Schedule, ScheduleQuery, StoredSchedule
from trioarm.core.events import ScheduleChanged
from trioarm.core.instants import HOUR, MINUTE
from trioarm.engine.hub import Subscription
from trioarm.engine.scheduler import Schedules
from trioarm.testing import FileStore, a_world, in_virtual_time
from trioarm.testing.world import BEGIN

HOURLY = Schedule("hourly", Every(3600), handler="none", owner="app", tags=("x",), args={"n": [1, {"a": None}]})
AGAIN = Schedule("hourly", Every(3600), handler="none", owner="app", tags=["x"], args={"n": [1, {"a": None}]})
UNTIL = BEGIN + 8 * HOUR

Ask = Callable[[Schedules], Awaitable[object]]

COMMANDS: dict[str, tuple[Ask, Ask]] = {
    "put": (lambda its: its.put(HOURLY), lambda its: its.put(AGAIN, author="another")),
    "put at its revision": (lambda its: its.put(HOURLY), lambda its: its.put(AGAIN, revision=1)),
    "put_many": (lambda its: its.put_many([HOURLY]), lambda its: its.put_many([AGAIN])),
    "sync": (lambda its: its.sync("app", [HOURLY]), lambda its: its.sync("app", [AGAIN])),
    "put what was synchronised": (lambda its: its.sync("app", [HOURLY]), lambda its: its.put(AGAIN)),
    "pause": (lambda its: its.pause("hourly", note="x"), lambda its: its.pause("hourly", author="another")),
    "pause with its note": (lambda its: its.pause("hourly", note="x"), lambda its: its.pause("hourly", note="x")),
    "pause until": (
        lambda its: its.pause("hourly", until=UNTIL, note="x"),
        lambda its: its.pause("hourly", until=UNTIL),
    ),
    "pause_many": (lambda its: its.pause("hourly"), lambda its: its.pause_many(ScheduleQuery(tag="x"))),
    "resume": (lambda its: its.put(HOURLY), lambda its: its.resume("hourly")),
    "resume_many": (lambda its: its.put(HOURLY), lambda its: its.resume_many(ScheduleQuery(tag="x"))),
    "skip_next": (lambda its: its.skip_next("hourly"), lambda its: its.skip_next("hourly", note="once more")),
    "skip": (lambda its: its.skip("hourly", BEGIN + HOUR), lambda its: its.skip("hourly", BEGIN + HOUR)),
    "postpone": (
        lambda its: its.postpone("hourly", by_s=600),
        lambda its: its.postpone("hourly", until=BEGIN + HOUR + 10 * MINUTE),
    ),
}


@attrs.define
class Seen:
    """What somebody who watches a store sees change."""

    connection: sqlite3.Connection

    def version(self) -> int:
        """Return a number that changes with each commit of another connection."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        return int(version)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_so_already_is_neither_written_nor_told(command: str, tmp_path: Path) -> None:
    """The file is not written at all, the schedule and its revision are as they were, and no observer hears of it."""
    first, again = COMMANDS[command]
    path = tmp_path / "trioarm.db"

    async def main() -> tuple[StoredSchedule, StoredSchedule, list[object]]:
        async with a_world(FileStore(path)) as world:
            node = await world.start()
            schedules = node.scheduler.schedules
            await schedules.put(HOURLY)
            await first(schedules)
            before = await schedules.get("hourly")
            with closing(sqlite3.connect(path)) as connection, node.scheduler.subscribe(ScheduleChanged) as events:
                seen = Seen(connection)
                version = seen.version()
                await again(schedules)
                assert seen.version() == version
                told = await _all_of(events, schedules)
            return before, await schedules.get("hourly"), told

    before, after, told = in_virtual_time(main)
    assert after == before
    assert told == []


async def _all_of(events: Subscription, schedules: Schedules) -> list[object]:
    """Return what was told so far: all that comes before the removal of something that is put for this."""
    await schedules.put(Schedule("last", Once(UNTIL), handler="none"))
    told = []
    async for event in events:
        if isinstance(event, ScheduleChanged) and event.name == "last":
            return told
        told.append(event)
    raise AssertionError("nobody tells of anything")


def test_something_else_to_note_is_a_change() -> None:
    """Another end of a pause, or another reason, is kept; paused by its definition, it can be paused by a person."""

    async def main() -> None:
        async with a_world() as world:
            node = await world.start()
            schedules = node.scheduler.schedules
            await schedules.put(HOURLY)
            revisions = [
                (await schedules.pause("hourly", note=note, until=until)).revision
                for note, until in (("", None), ("guests", None), ("guests", UNTIL), ("", UNTIL), ("", None))
            ]
            assert revisions == [2, 3, 4, 4, 5]
            await schedules.put(attrs.evolve(HOURLY, enabled=False))
            await schedules.put(Schedule("disabled", Every(60), handler="none", enabled=False))
            assert (await schedules.pause("disabled")).revision == 2

    in_virtual_time(main)
