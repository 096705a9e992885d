"""Declares sets in a world, by a command or by the start of a node, and notes what was stored before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy

import attrs
import trio

from tests.simulation.course import Course, Declaration, Definition
from tests.simulation.history import CODE, Declared
from trioarm import Schedule
from trioarm.core.diff import SyncDiff
from trioarm.core.errors import ConfigurationError, TrioarmError
from trioarm.core.queries import PAGE_MAX, ScheduleQuery
from trioarm.core.record import ScheduleRecord
from trioarm.handlers.housekeeping import OWNER
from trioarm.testing import Node, World


@attrs.define
class _Said:
    """What was said of a set that is declared."""

    answer: SyncDiff | None = None
    refused: str | None = None
    is_done: bool = False


class Declaring:
    """Declares sets.

    Args:
        world: in which it does.
        course: to which it adds what it did.
        look: says what the wall shows, and notes how far it went.
    """

    def __init__(self, world: World, course: Course, look: Callable[[], int]) -> None:
        self._world = world
        self._course = course
        self._look = look
        self.of_code: tuple[Schedule, ...] = ()
        """What every node declares that is started."""

    async def by_command(self, node: Node, act: Declared) -> bool:
        """Declare a set, and return whether that was answered."""
        if act.owner == CODE and not act.dry_run:
            self.of_code = act.schedules
        async with self._noted(act.owner, act.schedules, dry_run=act.dry_run) as said:
            try:
                said.answer = await node.scheduler.schedules.sync(act.owner, act.schedules, dry_run=act.dry_run)
            except TrioarmError:
                self._course.counts["said again"] += 1
            else:
                said.is_done = True
        return said.is_done

    async def cut_short(self, node: Node, act: Declared, turns: int, kill: Callable[[Node], None]) -> None:
        """Declare a set by a node that dies after so many turns of the loop."""

        async def declare() -> None:
            with suppress(TrioarmError):
                await node.scheduler.schedules.sync(act.owner, act.schedules, dry_run=act.dry_run)

        async with self._noted(act.owner, act.schedules, dry_run=act.dry_run), trio.open_nursery() as nursery:
            nursery.start_soon(declare)
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            kill(node)
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def by_start(self) -> AsyncIterator[tuple[Schedule, ...]]:
        """Let a node start while the context lasts, which declares what this yields.

        If that is refused, somebody takes out of it what was wrong.
        """
        if not self.of_code:
            yield ()
            return
        async with self._noted(CODE, self.of_code) as said:
            try:
                yield self.of_code
                said.is_done = True
            except* ConfigurationError as error:
                said.refused = str(error.exceptions[0])
                kept = await self._stored()
                taken = {name for name, record in kept.items() if record.schedule.owner != CODE}
                self.of_code = tuple(one for one in self.of_code if one.name not in taken)
                raise

    @asynccontextmanager
    async def _noted(self, owner: str, schedules: Sequence[Schedule], *, dry_run: bool = False) -> AsyncIterator[_Said]:
        """Note what was stored before and after, and what changed with it."""
        wanted = {one.name: attrs.evolve(one, owner=owner) for one in schedules}
        said, before, from_at = _Said(), await self._stored(), self._look()
        forgotten = self._course.counts["schedules forgotten"]
        for name in wanted:
            self._course.witness.redefined(name)
        try:
            yield said
        finally:
            after = await self._stored()
            self._look()
            declared = Declaration(owner, wanted, dry_run, before, after, said.answer, said.refused, said.is_done)
            if self._course.counts["schedules forgotten"] == forgotten:  # else who can tell what changed
                self._course.declarations.append(declared)
            for name in sorted(before.keys() | after.keys()):
                old, new = before.get(name), after.get(name)
                if old is None or new is None or old.schedule != new.schedule:
                    schedule = None if new is None else new.schedule
                    self._course.definitions.append(Definition(name, schedule, from_at, self._course.highest))

    async def _stored(self) -> dict[str, ScheduleRecord]:
        async with self._world._reading() as repository:
            page = await repository.find_schedules(ScheduleQuery(limit=PAGE_MAX))
        return {record.schedule.name: copy(record) for record in page.rows if record.schedule.owner != OWNER}
