"""The panel port: what a driver must do for trioarm, whatever hardware or service it speaks to (A1.3).

A driver reads and commands, and says in one of few ways why it could not. It never decides, repeats or waits for a
state: that is `verify` and `handler`. What became of a command is known by reading only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

import attrs

from trioarm.arming.model import Reported, Target
from trioarm.core.errors import TrioarmError

NAME_MAX: Final = 100  # characters of the name of a zone or a person, as a panel may give it
ZONES_MAX: Final = 256  # names of open zones; the largest panels have about that many inputs
OURSELVES: Final = "trioarm"  # `changed_by` of what we commanded; any other name is a person or another program


class FailureKind(StrEnum):
    """Why a partition is not what it was told to become (A3.3)."""

    REJECTED = "rejected"  # the panel refused for good: a wrong code, a mode it does not have
    BLOCKED = "blocked"  # zones stand open
    UNAVAILABLE = "unavailable"  # the panel cannot be reached, or does not know its own state
    TIMEOUT = "timeout"  # every command was taken, none had an effect in time
    REVERTED = "reverted"  # it was on its way, then went elsewhere: a person's doing until proved otherwise
    IN_ALARM = "in_alarm"  # triggered or in entry delay: never touched (A2.2)
    TOO_LATE = "too_late"  # the occurrence may no longer be carried out (A2.3)
    UNCERTAIN = "uncertain"  # nobody can tell whether what it depends on is so (A4.5)
    UNRECORDED = "unrecorded"  # a late disarm of a partition of which nothing was ever recorded (A2.2)


class PanelFailure(TrioarmError):
    """A partition was not read, or did not become what it was told to. The message holds no code.

    Args:
        kind: what to do about it depends on this alone.
        message: one sentence for people.
        zones: names of the open zones, for `blocked`.
    """

    def __init__(self, kind: FailureKind, message: str, zones: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.zones = zones


@attrs.frozen(slots=True, kw_only=True)
class PanelReport:
    """What a panel says of a partition at one moment. None stands for what it does not say.

    Args:
        state: the state it reports.
        since_at: when it became so.
        changed_by: who made it so; `OURSELVES` for our own command.
        open_zones: zones that stand open and would keep it from arming, by name.
        toward: while `arming`, what it will become.
        settles_at: while `arming` or `pending`, when that will end by itself.
        restarted: whether the panel itself says that it is so because it started anew, and nobody made it so.
    """

    state: Reported
    since_at: int | None = None
    changed_by: str | None = None
    open_zones: tuple[str, ...] = ()
    toward: Target | None = None
    settles_at: int | None = None
    restarted: bool = False

    def reaches(self, target: Target) -> bool:
        """Whether the partition is what it was told to become."""
        return self.state.value == target.value


UNREAD: Final = PanelReport(state=Reported.UNAVAILABLE)  # of a panel that has not answered


class Panel(Protocol):
    """One partition, as its panel's driver shows it.

    A driver bounds its own waiting for the other side and says `unavailable` when that is over.
    """

    @property
    def name(self) -> str:
        """The physical panel: partitions whose panels have one name are commanded in order (A3.8)."""

    async def read_state(self) -> PanelReport:
        """Ask the panel what the partition is now.

        Raises:
            PanelFailure: it is `unavailable`.

        Cancellation: at any checkpoint.
        """

    async def command(self, target: Target, code: str | None, by: str = OURSELVES) -> None:
        """Tell the panel what the partition is to become. Returning means that it was sent, not that it is done.

        Args:
            target: what it is to become.
            code: the code that goes with it; kept nowhere, and in no message.
            by: who commands it, for panels that remember that.

        Raises:
            PanelFailure: it is `rejected`, `blocked` or `unavailable`.

        Cancellation: at any checkpoint; the command may or may not have been sent.
        """

    async def changed(self) -> None:
        """Return once the panel may have something new to say; a driver that cannot watch sleeps for ever.

        A change may be missed between a read and this call: who waits here also wakes at a known instant.
        """


@attrs.frozen(slots=True, kw_only=True)
class OwnCommand:
    """The latest command that was recorded for a partition before it was sent (A3.1).

    Args:
        target: what it was to become.
        sent_at: when; microseconds since 1970 UTC.
        is_confirmed: whether the partition was recorded to be armed since.
    """

    target: Target
    sent_at: int
    is_confirmed: bool


class OwnCommands(Protocol):
    """What is remembered of commands, over restarts too."""

    async def own_command(self, partition: str) -> OwnCommand | None:
        """Return the latest command of a partition; None when there was none, or none that can be understood."""
