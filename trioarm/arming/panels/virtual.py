"""The virtual panel: a complete alarm panel without hardware, so that everything works out of the box (A1.3).

Its state is one document per address, changed by compare-and-set alone: several nodes and commands may use it at once.
How it behaves is in `virtual_state`; here is how it is kept, and its code checked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio

from trioarm.arming.model import Target, VirtualPanel
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelFailure, PanelReport
from trioarm.arming.panels.virtual_state import (
    PanelState,
    begun_anew,
    closed,
    commanded,
    from_body,
    opened,
    report,
    to_body,
)
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.instants import microseconds
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.links.secrets import SecretUnreadable, read_code, same_code

NAMESPACE: Final = "panel"
TRIES: Final = 10  # times a change is made anew after somebody else's was faster

Move: TypeAlias = Callable[[PanelState, int], PanelState]


class VirtualDriver:
    """One partition of the built-in panel. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        settings: as configured.
        address: key of its document; partitions with one address are one.
        repository: where the document is kept.
        clock: what its delays count by.
    """

    def __init__(self, settings: VirtualPanel, address: str, repository: ScheduleRepository, clock: Clock) -> None:
        self._settings = settings
        self._address = address
        self._repository = repository
        self._clock = clock
        self._news = trio.Event()

    @property
    def name(self) -> str:
        """The physical panel, which here has one partition."""
        return f"virtual:{self._address}"

    async def read_state(self) -> PanelReport:
        """Return what the panel says now.

        Raises:
            PanelFailure: `unavailable`, because its document cannot be understood.
        """
        state, _ = await self._load()
        return report(state, self._clock.look())

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Arm or disarm, as trioarm unless somebody else is named.

        Raises:
            PanelFailure: `rejected` for a wrong code or during an alarm, `blocked` by open zones.
        """
        self._check(code)
        await self._become(target, by)

    async def changed(self) -> None:
        """Return when this driver changes the panel, or another process commits anything at all."""

        async def until(happens: Callable[[], Awaitable[None]]) -> None:
            await happens()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(until, self._news.wait)
            nursery.start_soon(until, self._repository.changed)

    # What people and the world do

    async def arm(self, target: Target, by: str) -> PanelReport:
        """Arm, as somebody at the panel would.

        Raises:
            PanelFailure: `blocked` by open zones, or `rejected` during an alarm.
        """
        return await self._become(target, by)

    async def disarm(self, by: str) -> PanelReport:
        """Disarm at once, as somebody at the panel would; also what ends an alarm."""
        return await self._become(Target.DISARMED, by)

    async def restart(self) -> PanelReport:
        """Start anew, as after a power cut: panels that forget what they were come up disarmed."""
        return await self._move(begun_anew)

    async def open_zone(self, zone: str) -> PanelReport:
        """Open a zone: arming is refused, and an armed partition begins its entry delay."""
        return await self._move(lambda state, now: opened(state, zone, now))

    async def close_zone(self, zone: str) -> PanelReport:
        """Close a zone; an entry delay that has begun goes on."""
        return await self._move(lambda state, now: closed(state, zone, now))

    # How it is kept

    def _check(self, code: str | None) -> None:
        if self._settings.code is None:
            return
        try:
            expected = read_code(self._settings.code)
        except SecretUnreadable as error:
            raise PanelFailure(FailureKind.REJECTED, f"the panel has no code to compare with: {error}") from error
        if not same_code(code, expected):
            raise PanelFailure(FailureKind.REJECTED, "the panel refuses the code")

    async def _become(self, target: Target, by: str) -> PanelReport:
        exit_delay, entry_delay = self._settings.exit_delay_s, self._settings.entry_delay_s
        return await self._move(
            lambda state, now: commanded(
                state,
                target,
                by,
                now,
                exit_delay=microseconds(exit_delay),
                entry_delay=microseconds(entry_delay),
            )
        )

    async def _load(self) -> tuple[PanelState, int]:
        """Return the state and the version of its document; 0 for a panel that was never touched."""
        document = await self._repository.get_document(NAMESPACE, self._address)
        if document is None:
            return PanelState(open_zones=self._settings.open_zones), 0
        return from_body(document.body, f"document {NAMESPACE}/{self._address}"), document.version

    async def _move(self, move: Move) -> PanelReport:
        """Change the document. Refused or in doubt, look again: a move that was kept after all changes nothing."""
        for _ in range(TRIES):
            state, version = await self._load()
            now = self._clock.look()
            moved = move(state, now)
            if moved == state:
                return report(state, now)
            put = PutDocument(NAMESPACE, self._address, version, to_body(moved))
            if await self._repository.commit([Change(documents=[put])]) == [Verdict.DONE]:
                self._news.set()
                self._news = trio.Event()
                return report(moved, now)
        raise PanelFailure(FailureKind.UNAVAILABLE, "others change the panel all the time: try again")
