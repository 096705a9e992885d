"""The hub: hands events to whoever listens, waits for nobody, and tells the slow how many they missed (S6.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import trio

from trioarm.core.events import Event, ObserverLagged

BUFFER: Final = 1_000  # events one observer may be behind; enough for a burst of a full pass


class Subscription:
    """What one observer receives: `async for event in subscription`."""

    def __init__(self, kinds: tuple[type[Event], ...]) -> None:
        self._kinds = kinds
        self._send, self._receive = trio.open_memory_channel[Event](BUFFER)
        self._lost = 0

    def offer(self, event: Event) -> None:
        """Queue an event, or count it as lost when the observer is too far behind."""
        if self._kinds and not isinstance(event, self._kinds):
            return
        try:
            if self._lost:
                self._send.send_nowait(ObserverLagged(self._lost))
                self._lost = 0
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self._lost += 1

    def close(self) -> None:
        """End the iteration once what is queued has been received."""
        self._send.close()

    def __aiter__(self) -> Self:
        """Iterate over events until the hub closes."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event; before it waits for one, what was lost is told: perhaps nothing else comes."""
        if self._lost and not self._receive.statistics().current_buffer_used:
            lost, self._lost = self._lost, 0
            await trio.lowlevel.checkpoint()
            return ObserverLagged(lost)
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class Hub:
    """Everybody who listens."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self.observed = False
        """Whether anybody listens; making an event for nobody costs more than asking."""
        self.alerted: Callable[[], None] | None = None
        """Called once alerts are kept, by whoever tells people of them. It is no event: it says only that it is time to
        look, and what is to be told is in the store."""

    def publish(self, event: Event) -> None:
        """Hand an event to all who asked for its kind; after the end, to nobody."""
        if self._closed:
            return
        for subscription in self._subscriptions:
            subscription.offer(event)

    @contextmanager
    def subscribe(self, *kinds: type[Event]) -> Iterator[Subscription]:
        """Listen while the context lasts.

        Args:
            kinds: classes of events; none for all.
        """
        subscription = Subscription(kinds)
        self._subscriptions.append(subscription)
        self.observed = True
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            self.observed = bool(self._subscriptions)
            subscription.close()

    def close(self) -> None:
        """Let every observer come to its end."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
