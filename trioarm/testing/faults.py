"""Faults: what goes wrong between a node and its store, on purpose, at a call that a test chooses (S7.4)."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Final, cast

import trio

from trioarm.core.changes import Change, Verdict
from trioarm.core.errors import RepositoryError
from trioarm.engine.ports import ScheduleRepository

PLANTED: Final = "a fault that was planted"
NEVER: Final = frozenset({"open", "close", "run", "changed", "leave"})  # what a node cannot do without, or only ends


class Fault(StrEnum):
    """What goes wrong with one call."""

    BEFORE = "before"  # nothing is kept, and the caller is told that nobody knows
    AFTER = "after"  # it is kept, and the caller is told that nobody knows
    REFUSED = "refused"  # a commit is refused, as if somebody else had been faster
    SLOW = "slow"  # the answer takes SLOW_S


class Away(StrEnum):
    """How a store is away."""

    STALL = "stall"  # calls wait, and can be cancelled meanwhile
    HANG = "hang"  # calls wait, whatever is cancelled, as threads do that wait for a disk
    FAIL = "fail"  # calls fail at once


SLOW_S: Final = 7.0


def faulty_calls() -> list[str]:
    """Return the names of the calls that a fault can strike."""
    calls = {name for name, method in vars(ScheduleRepository).items() if inspect.iscoroutinefunction(method)}
    return sorted(calls - NEVER)


class Line:
    """The line between a node and its store.

    Args:
        repository: at its other end.
        faults: what goes wrong, by name of the method and number of the call, counted from 1 over the life of a world.
        calls: how often each method was called, and how often which fault struck, over the life of a world.
        kept: called after every commit that the repository has answered.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        faults: Mapping[tuple[str, int], Fault],
        calls: Counter[str],
        kept: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._faults = faults
        self._calls = calls
        self._kept = kept
        self._back = trio.Event()
        self._back.set()
        self._outage = Away.STALL
        self._is_cut = False

    def as_repository(self) -> ScheduleRepository:
        """Return the line as what is at its other end: it answers as that, or not at all."""
        return cast(ScheduleRepository, self)

    def cut(self) -> None:
        """Let no call come through from now on, and none come back, as if the process had ended."""
        self._is_cut = True

    def break_off(self, outage: Away) -> None:
        """Let no call through until `go_on`."""
        self._outage = outage
        if self._back.is_set():
            self._back = trio.Event()

    def stall(self) -> None:
        """Let calls wait until `go_on`, as for a network that is away."""
        self.break_off(Away.STALL)

    def go_on(self) -> None:
        """Let calls through again."""
        self._back.set()
        self._outage = Away.STALL

    def __getattr__(self, name: str) -> object:
        """Return what the repository has, its methods with faults; each of them is looked for once."""
        found = getattr(self._repository, name)
        if name.startswith("_") or not inspect.iscoroutinefunction(found):
            return found
        vars(self)[name] = method = partial(self._call, name, found)
        return method

    async def _call(self, name: str, method: Callable[..., Awaitable[object]], *args: object, **more: object) -> object:
        if self._back.is_set():
            await trio.lowlevel.checkpoint()
        elif self._outage is Away.FAIL and name not in NEVER:
            await trio.lowlevel.checkpoint()
            return _went_wrong(name, args, Fault.BEFORE)
        else:
            with trio.CancelScope(shield=self._outage is Away.HANG):
                await self._back.wait()
        await self._live()
        self._calls[name] += 1
        fault = None if name in NEVER else self._faults.get((name, self._calls[name]))
        if fault is not None:
            self._calls[f"{name}: {fault}"] += 1
        if fault is Fault.SLOW:
            await trio.sleep(SLOW_S)
            await self._live()
        if fault in (Fault.BEFORE, Fault.REFUSED):
            return _went_wrong(name, args, fault)
        answer = await method(*args, **more)
        if name == "commit":
            self._kept()
        await self._live()
        return _went_wrong(name, args, fault) if fault is Fault.AFTER else answer

    async def _live(self) -> None:
        if self._is_cut:
            await trio.sleep_forever()


def _went_wrong(name: str, args: Sequence[object], fault: Fault) -> object:
    """Return what a commit answers that went wrong; other calls have no such answer."""
    if name == "commit":
        changes = cast("Sequence[Change]", args[0])
        return [Verdict.REFUSED if fault is Fault.REFUSED else Verdict.UNKNOWN] * len(changes)
    raise RepositoryError(PLANTED)
