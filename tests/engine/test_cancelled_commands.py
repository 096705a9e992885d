"""Whoever asks for something may be cancelled at any moment: it is then done, told and carried out, or it is not done.

Each command is cancelled at each turn of the loop that it takes, on a node of its own that keeps itself in memory or in
a file, while other schedules keep the node busy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from trioarm import Every, RunContext, RunQuery, Schedule, ScheduleChanged, ScheduleQuery, Scheduler, State
from trioarm.core.events import Event, RunDecided
from trioarm.testing import Decision, a_world, in_virtual_time
from trioarm.testing.stores import FileStore, MemoryDisk, Store

BEGIN: Final = "2026-11-23 22:00:30"
SUBJECT: Final = "subject"
TURNS_MAX: Final = 60
AFTER_S: Final = 150.0  # in which what a command made due runs

Command = Callable[[Scheduler], Awaitable[object]]


COMMANDS: Final[dict[str, Command]] = {
    "put": lambda scheduler: scheduler.schedules.put(_every_minute("new")),
    "put anew": lambda scheduler: scheduler.schedules.put(_every_minute(SUBJECT, priority=9)),
    "put many": lambda scheduler: scheduler.schedules.put_many([_every_minute("new")]),
    "remove": lambda scheduler: scheduler.schedules.remove(SUBJECT),
    "pause": lambda scheduler: scheduler.schedules.pause(SUBJECT),
    "pause many": lambda scheduler: scheduler.schedules.pause_many(ScheduleQuery(prefix=SUBJECT)),
    "resume": lambda scheduler: scheduler.schedules.resume("paused"),
    "skip": lambda scheduler: scheduler.schedules.skip_next(SUBJECT),
    "fire": lambda scheduler: scheduler.runs.fire(SUBJECT),
}
# Command -> runs of which schedule there are in the time after it, if it was not carried out and if it was.
RUNS: Final = {
    "put": ("new", 0, 3),
    "put anew": (SUBJECT, 3, 3),
    "put many": ("new", 0, 3),
    "remove": (SUBJECT, 3, 0),
    "pause": (SUBJECT, 3, 0),
    "pause many": (SUBJECT, 3, 0),
    "resume": ("paused", 0, 3),
    "skip": (SUBJECT, 3, 2),
    "fire": (SUBJECT, 3, 4),
}


def _every_minute(name: str, **policies: int) -> Schedule:
    return Schedule(name, Every(60.0), handler="work", **policies)


@attrs.define
class _Seen:
    """What came of a command that was cancelled.

    Args:
        ended: whether it came to its end before that.
        kept: whether the store shows it.
        told: of which schedules there were events.
        decisions: all that was decided until some time after.
        called: how often handlers were called.
    """

    ended: bool = False
    kept: bool = False
    told: Sequence[str] = ()
    decisions: Sequence[Decision] = ()
    called: int = 0


async def _stored(scheduler: Scheduler) -> list[object]:
    """Return what a command may change."""
    found = (await scheduler.schedules.find(ScheduleQuery())).rows
    runs = (await scheduler.runs.find(RunQuery(schedule=SUBJECT))).rows
    return [*((one.name, one.revision) for one in found), *(run.id for run in runs)]


def _named(event: Event) -> str:
    return event.run.schedule if isinstance(event, RunDecided) else event.name


async def _ask(command: Callable[[], Awaitable[object]], turns: int, seen: _Seen) -> None:
    """Give a command, and cancel it after so many turns."""

    async def ask() -> None:
        await command()
        seen.ended = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        if not seen.ended:
            nursery.cancel_scope.cancel()


async def _cancelled(command: Command, turns: int, store: Store) -> _Seen:
    seen = _Seen()

    async def work(run: RunContext) -> None:
        seen.called += 1
        await trio.sleep(0.5)

    async with a_world(store, start_at=BEGIN) as world:
        await world.start({"work": work})
        scheduler = world.scheduler
        busy = [Schedule(f"busy{number}", Every(0.5), handler="work") for number in range(4)]
        await scheduler.schedules.put_many([*busy, _every_minute(SUBJECT), _every_minute("paused")])
        await scheduler.schedules.pause("paused")
        await trio.sleep(5)  # and go on while the node decides and records, as it does twice a second
        before = await _stored(scheduler)
        with scheduler.subscribe(ScheduleChanged, RunDecided) as events:
            await _ask(partial(command, scheduler), turns, seen)
            seen.kept = await _stored(scheduler) != before
        seen.told = [name async for event in events if not (name := _named(event)).startswith("busy")]
        await scheduler.schedules.pause_many(ScheduleQuery(prefix="busy"))
        await world.advance(AFTER_S)
        seen.decisions = await world.decisions()
    return seen


def _kept(what: str, turns: int, store: Store) -> _Seen:
    """Cancel a command after so many turns, and look whether it is done or not, nothing between."""
    seen: _Seen = in_virtual_time(partial(_cancelled, COMMANDS[what], turns, store))
    schedule, without, with_it = RUNS[what]
    assert bool(seen.told) is seen.kept
    ran = [one for one in seen.decisions if one.state is State.SUCCEEDED]
    assert sum(one.schedule == schedule for one in ran) == (with_it if seen.kept else without)
    assert seen.called == len(ran)
    assert {one.state for one in seen.decisions} <= {State.SUCCEEDED, State.SKIPPED}
    return seen


@pytest.mark.parametrize("what", COMMANDS)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_command_that_is_cancelled_is_done_and_told_or_not_done(what: str, kind: str, tmp_path: Path) -> None:
    """At whichever turn: what is kept was told of and is carried out at its time, and the node goes on."""
    for turns in range(TURNS_MAX):
        store = MemoryDisk() if kind == "memory" else FileStore(tmp_path / f"{turns}.db")
        seen = _kept(what, turns, store)
        if seen.ended:
            break
    assert seen.ended
    assert seen.kept
    assert turns > 2
