"""Messages of a world: nobody is told anything in it; what would have been said is kept for the test to look at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs
import trio

from trioarm.notify.channels.base import Answer, Delivered
from trioarm.notify.message import Message


@attrs.frozen(slots=True)
class Sent:
    """A message that a channel would have delivered.

    Args:
        channel: its name.
        at: what the wall clock showed, in the world's zone.
        message: what people would have read.
    """

    channel: str
    at: datetime
    message: Message


class CollectingChannel:
    """Takes messages, and sends nothing. Implements `trioarm.notify.channels.base.Channel`.

    Args:
        name: of the channel in whose place it is.
        now: returns what the wall clock shows.
        sent: where messages are kept.
    """

    def __init__(self, name: str, now: Callable[[], datetime], sent: list[Sent]) -> None:
        self._name = name
        self._now = now
        self._sent = sent

    async def send(self, message: Message) -> Answer:
        """Keep one message."""
        await trio.lowlevel.checkpoint()
        self._sent.append(Sent(self._name, self._now(), message))
        return Delivered()
