"""What a channel must do for whoever tells people: carry one message, and say what became of it."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import attrs
import trio

from trioarm.core.instants import render_duration
from trioarm.notify.message import Message


@attrs.frozen(slots=True)
class Delivered:
    """The other side has taken it, which answers for it from now on.

    Args:
        lacking: what it did not take, such as one of several recipients; empty for nothing.
    """

    lacking: str = ""


@attrs.frozen(slots=True)
class TryAgain:
    """It was not taken, or nobody knows whether it was; the same may go well later."""

    why: str


@attrs.frozen(slots=True)
class Refused:
    """The other side does not want it, or it cannot be sent at all: somebody has to do something first."""

    why: str


Answer: TypeAlias = Delivered | TryAgain | Refused


class Channel(Protocol):
    """A way to people.

    Whoever tells waits no longer than the configured time for an answer, then cancels. Nothing secret is in a reason.
    """

    async def send(self, message: Message) -> Answer:
        """Send one message and return what became of it.

        Cancellation: at once, whatever the other side does; a thread that cannot be ended is left behind.
        """


async def send_within(channel: Channel, message: Message, timeout_s: float) -> Answer:
    """Send one message, and wait for an answer no longer than so many seconds."""
    with trio.move_on_after(timeout_s):
        return await channel.send(message)
    return TryAgain(f"no answer within {render_duration(timeout_s)}")
