"""Hardware: a panel that is no part of any node. What is done to it stays done, and it need not say who did it.

It is cut off, drops commands, loses answers and takes its time, as it is told to; and it knows what really happened.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import attrs
import trio

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import OURSELVES, FailureKind, PanelFailure, PanelReport
from trioarm.core.instants import SECOND

EXIT_DELAY_S: Final = 20.0
ANSWER_S: Final = 0.4  # that an answer takes
NOT_ARMED: Final = (Reported.DISARMED, Reported.ARMING)


class Says(Enum):
    """How much a panel says of a change."""

    ALL = auto()  # who made it, and when
    WHO = auto()
    NOTHING = auto()


@attrs.frozen(kw_only=True)
class Deed:
    """What somebody did to a panel, or meant to.

    Args:
        at: the instant, on the wall.
        by: who.
        target: what it was to become; None for an alarm.
        before: what it was.
        heeded: whether it had an effect.
    """

    at: int
    by: str
    target: Target | None
    before: Reported
    heeded: bool

    @property
    def changes(self) -> bool:
        """Whether it became something else by it."""
        return self.heeded and (self.target is None or self.before.value != self.target.value)


@attrs.define(eq=False)
class Hardware:
    """A panel of one partition. Implements `trioarm.arming.panels.base.Panel`.

    Args:
        name: of the panel.
        wall: returns what the wall clock shows.
        says: how much it says.
        watched: whether it tells of changes by itself.
        away: whether it cannot be reached.
        drops: how many commands will have no effect.
        loses: how many answers to commands will be lost, though they have an effect.
        lag_s: how long a command takes to have its effect, in seconds.
        deeds: all that was ever done to it, in order.
    """

    name: str
    wall: Callable[[], int]
    says: Says
    watched: bool = False
    away: bool = False
    drops: int = 0
    loses: int = 0
    lag_s: float = 0.0
    open_zones: tuple[str, ...] = ()
    deeds: list[Deed] = attrs.Factory(list)
    _target: Target = Target.DISARMED
    _since_at: int | None = None
    _by: str | None = None
    _armed_at: float = 0.0  # trio's time at which its exit delay is over
    _in_alarm: bool = False
    _to_come: tuple[float, Target, str] | None = None
    _news: trio.Event = attrs.Factory(trio.Event)

    # What a driver asks of it

    async def read_state(self) -> PanelReport:
        """Say what it is, and of the rest what it is willing to."""
        await self._reach()
        state, says = self.state, self.says
        arming = state is Reported.ARMING
        return PanelReport(
            state=state,
            since_at=self._since_at if says is Says.ALL else None,
            changed_by=self._by if says is not Says.NOTHING else None,
            open_zones=self.open_zones,
            toward=self._target if arming and says is Says.ALL else None,
        )

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Take a command, or not."""
        await self._reach()
        if self.state is Reported.TRIGGERED and target is not Target.DISARMED:
            self._note(by, target, heeded=False)
            raise PanelFailure(FailureKind.REJECTED, "it is in alarm")
        if self.open_zones and target is not Target.DISARMED:
            self._note(by, target, heeded=False)
            raise PanelFailure(FailureKind.BLOCKED, "zones are open", self.open_zones)
        if self.drops:
            self.drops -= 1
            self._note(by, target, heeded=False)
            return
        self._note(by, target, heeded=True)
        self._to_come = (trio.current_time() + self.lag_s, target, by)
        if self.loses:
            self.loses -= 1
            await trio.sleep(ANSWER_S)
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")
        await self._reach()

    async def changed(self) -> None:
        """Return once it has changed, where it tells of that."""
        if not self.watched:
            await trio.sleep_forever()
        await self._news.wait()

    async def _reach(self) -> None:
        await trio.sleep(ANSWER_S / 2)
        if self.away:
            await trio.sleep(5 * ANSWER_S)
            raise PanelFailure(FailureKind.UNAVAILABLE, "no answer")

    # What people and the world do

    @property
    def state(self) -> Reported:
        """What it is."""
        if self._to_come is not None and trio.current_time() >= self._to_come[0]:
            _, target, by = self._to_come
            self._to_come = None
            self._become(target, by)
        if self._in_alarm:
            return Reported.TRIGGERED
        if self._target is not Target.DISARMED and trio.current_time() < self._armed_at:
            return Reported.ARMING
        return Reported(self._target)

    def by_hand(self, target: Target, by: str = "bob") -> None:
        """Let somebody arm or disarm it who stands before it."""
        self._note(by, target, heeded=True)
        self._become(target, by)

    def alarm(self) -> None:
        """Let a burglar in, where it is armed."""
        if self.state not in NOT_ARMED:
            self.deeds.append(Deed(at=self.wall(), by="burglar", target=None, before=self.state, heeded=True))
            self._in_alarm, self._since_at, self._by = True, self.wall(), None
            self._tell()

    def heal(self) -> None:
        """Let it work as it should from now on."""
        self.away, self.drops, self.loses, self.lag_s, self.open_zones = False, 0, 0, 0.0, ()
        self._tell()

    def _become(self, target: Target, by: str) -> None:
        if target is self._target and not self._in_alarm:
            return
        self._target, self._by, self._since_at, self._in_alarm = target, by, self.wall(), False
        self._armed_at = trio.current_time() + EXIT_DELAY_S
        self._tell()

    def _note(self, by: str, target: Target, *, heeded: bool) -> None:
        self.deeds.append(Deed(at=self.wall(), by=by, target=target, before=self.state, heeded=heeded))

    def _tell(self) -> None:
        if not self.away:
            self._news.set()
            self._news = trio.Event()


def seconds(at: int, since: int) -> float:
    """Return how many seconds an instant lies after another."""
    return (at - since) / SECOND
